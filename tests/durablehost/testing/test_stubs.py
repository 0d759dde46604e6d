"""What a test puts in the place of activities, child orchestrations and entities."""

from datetime import timedelta

import azure.durable_functions as df
import pytest

from durablehost.testing import Call, FunctionFailed, ManualHub

app = df.DFApp()
ran: list[str] = []


@app.orchestration_trigger(context_name="context", input_type=dict)
def closing(context):
    """Closes each vendor's month by a child, and counts what was closed."""
    asked = context.get_input()
    children = [
        context.call_sub_orchestrator("vendor", vendor, f"{context.instance_id}:{vendor}")
        for vendor in asked["vendors"]
    ]
    closed = yield context.task_all(children)
    count = yield context.call_entity(df.EntityId("count", "all"), "add", len(closed))
    return {"closed": closed, "count": count}


@app.orchestration_trigger(context_name="context", input_type=str)
def vendor(context):
    ran.append("vendor")
    yield context.create_timer(context.current_utc_datetime + timedelta(days=1))
    return (yield context.call_activity("close", context.get_input()))


@app.activity_trigger(input_name="vendor")
def close(vendor):
    ran.append("close")
    return f"{vendor} closed"


@app.entity_trigger(context_name="context")
def count(context):
    if context.operation_name == "break":
        raise ValueError("broken")
    state = context.get_state(lambda: 0)
    if context.operation_name == "add":
        state += context.get_input()
    context.set_state(state)
    context.set_result(state)


@pytest.fixture
def durable_app() -> df.DFApp:
    ran.clear()
    return app


async def close_month(hub: ManualHub, *vendors: str) -> str:
    return await hub.start("closing", {"vendors": vendors}, instance_id="m")


# Activities


async def test_an_activity_can_fail_for_some_calls_or_for_all(hub: ManualHub) -> None:
    hub.fail_activity("close", ConnectionError("down"), on_call=2, times=2)
    ids = [await hub.start("vendor", name) for name in "abcd"]
    await hub.advance(timedelta(days=1))
    statuses = [str(hub.status(instance_id)) for instance_id in ids]

    hub.fail_activity("close", ConnectionError("down"), times=None)
    late = [await hub.start("vendor", name) for name in "ef"]
    await hub.advance(timedelta(days=1))

    assert statuses == ["Completed", "Failed", "Failed", "Completed"]
    assert [str(hub.status(instance_id)) for instance_id in late] == ["Failed", "Failed"]


async def test_an_activity_can_run_twice_in_one_call(hub: ManualHub) -> None:
    hub.repeat_activity("close", on_call=2)
    first = await hub.start("vendor", "acme")
    await hub.result(first)
    second = await hub.start("vendor", "zeta")

    assert await hub.result(second) == "zeta closed"
    assert ran.count("close") == 3
    assert len(hub.calls("close")) == 3


async def test_calls_tell_how_they_ended(hub: ManualHub) -> None:
    hub.fail_activity("close", ConnectionError("down"))
    failed = await hub.start("vendor", "acme", instance_id="a")
    await hub.run_until_ended(failed)
    await hub.result(await hub.start("vendor", "zeta", instance_id="z"))

    shown = [(call.input, call.result, call.error, call.ended) for call in hub.calls("close")]
    assert shown == [
        ("acme", None, "ConnectionError: down", True),
        ("zeta", "zeta closed", None, True),
    ]


# Children


async def test_children_are_calls_with_input_result_and_error(hub: ManualHub) -> None:
    hub.replace_activity("close", lambda vendor: 1 / 0 if vendor == "zeta" else vendor.upper())
    began = hub.clock.now()
    await close_month(hub, "acme", "zeta")
    running = [(call.input, call.ended) for call in hub.calls("vendor")]
    await hub.run_until_ended("m")

    assert running == [("acme", False), ("zeta", False)]
    acme, zeta = hub.calls("vendor")
    assert acme == Call("orchestrator", "vendor", "acme", "m", began, "ACME", None, True)
    assert zeta.error is not None
    assert "ZeroDivisionError: division by zero" in zeta.error
    assert [call.kind for call in hub.calls()] == ["orchestrator"] * 2 + ["activity"] * 2


async def test_a_child_whose_id_is_in_use_is_a_call_that_failed(hub: ManualHub) -> None:
    await close_month(hub, "acme", "acme")
    await hub.run_until_ended("m")
    await hub.result("m:acme")

    first, second = hub.calls("vendor")
    assert (first.result, first.error) == ("acme closed", None)
    assert (second.result, second.ended) == (None, True)
    assert second.error == "An Orchestration instance with the status Pending already exists."
    assert second.error in hub.output("m")


async def test_a_child_can_be_replaced_by_a_function_of_its_input(hub: ManualHub) -> None:
    hub.replace_orchestrator("vendor", lambda vendor: f"not {vendor}")

    month = await close_month(hub, "acme", "zeta")

    assert await hub.result(month) == {"closed": ["not acme", "not zeta"], "count": 2}
    assert ran == []
    assert [call.result for call in hub.calls("vendor")] == ["not acme", "not zeta"]


async def test_a_child_can_be_replaced_by_another_orchestrator(hub: ManualHub) -> None:
    def waits(context):
        return (yield context.wait_for_external_event("Closed"))

    hub.replace_orchestrator("vendor", waits)
    month = await close_month(hub, "acme")
    waited = hub.waits_for("m:acme").events
    await hub.raise_event("m:acme", "Closed", "by hand", as_http=True)

    assert waited == ("Closed",)
    assert (await hub.result(month))["closed"] == ["by hand"]


async def test_a_replacement_that_raises_fails_the_child_as_its_own_code_would(
    hub: ManualHub,
) -> None:
    def refuse(vendor):
        raise ValueError(f"{vendor} is locked")

    hub.replace_orchestrator("vendor", refuse)
    await close_month(hub, "acme")

    own = "Orchestrator function 'vendor' failed: acme is locked"
    assert hub.output("m:acme") == own
    assert own in hub.output("m")


async def test_one_child_can_fail(hub: ManualHub) -> None:
    hub.fail_orchestrator("vendor", ValueError("locked"), on_call=2)
    await close_month(hub, "acme", "zeta", "omni")
    assert [str(hub.status(each)) for each in ("m:acme", "m:omni")] == ["Running", "Running"]
    await hub.run_until_ended("m")

    children = ["m:acme", "m:zeta", "m:omni"]
    assert [str(hub.status(each)) for each in children] == ["Completed", "Failed", "Completed"]
    assert "locked" in hub.output("m")


# Entities


async def test_an_entity_can_be_replaced(hub: ManualHub) -> None:
    asked = []

    def answer(key, operation, given):
        asked.append((key, operation, given))
        return 99

    hub.replace_entity("count", answer)
    hub.replace_orchestrator("vendor", str.upper)

    assert (await hub.result(await close_month(hub, "acme")))["count"] == 99
    assert asked == [("all", "add", 1)]


async def test_an_entity_can_begin_with_a_state(hub: ManualHub) -> None:
    hub.replace_orchestrator("vendor", str.upper)
    await hub.set_entity_state("count", "all", 41)

    assert hub.entity_state("count", "all") == 41
    assert (await hub.result(await close_month(hub, "acme")))["count"] == 42


async def test_an_entity_can_be_called_and_gives_its_result_or_its_failure(hub: ManualHub) -> None:
    assert await hub.call_entity("count", "a", "add", 2) == 2
    assert await hub.call_entity("count", "a", "get") == 2
    with pytest.raises(FunctionFailed, match="broken"):
        await hub.call_entity("count", "a", "break")


async def test_orchestrators_and_entities_are_not_replaced_by_async_functions(
    hub: ManualHub,
) -> None:
    async def waits(*given):
        return 1

    with pytest.raises(TypeError, match="an orchestrator cannot be async"):
        hub.replace_orchestrator("vendor", waits)
    with pytest.raises(TypeError, match="an entity cannot be async"):
        hub.replace_entity("count", waits)


async def test_the_decorated_function_can_stand_for_its_name(hub: ManualHub) -> None:
    hub.replace_orchestrator(vendor, str.upper)
    hub.fail_activity(close, ConnectionError("down"))
    await hub.set_entity_state(count, "all", 41)
    await hub.signal(count, "all", "add", 1)
    await hub.result(await hub.start(closing, {"vendors": ["acme"]}))

    assert (hub.entity_state(count, "all"), await hub.call_entity(count, "all", "get")) == (43, 43)
    assert [call.result for call in hub.calls(count) + hub.calls(vendor)] == [43, "ACME"]
    with pytest.raises(LookupError, match="no entity 'vendor'; it has: count"):
        hub.replace_entity(vendor, print)


async def test_the_case_of_names_makes_no_difference(hub: ManualHub) -> None:
    def shouts(context):
        yield context.call_sub_orchestrator("VENDOR", "acme", "child")
        return (yield context.call_activity("CLOSE", "acme"))

    hub.replace_orchestrator("Closing", shouts)
    hub.replace_orchestrator("Vendor", str.upper)
    hub.replace_activity("Close", lambda vendor: f"not {vendor}")
    hub.slow_activity("Close", timedelta(hours=1))
    began = hub.clock.now()

    assert await hub.result(await close_month(hub)) == "not acme"
    assert hub.clock.now() - began == timedelta(hours=1)
    assert [call.result for call in hub.calls("Vendor") + hub.calls("Close")] == [
        "ACME",
        "not acme",
    ]


async def test_a_name_that_the_app_does_not_have_is_refused(hub: ManualHub) -> None:
    with pytest.raises(LookupError, match="no orchestrator 'vendors'; it has: closing, vendor"):
        hub.replace_orchestrator("vendors", str)
    with pytest.raises(LookupError, match="no entity 'counts'; it has: count"):
        hub.replace_entity("counts", print)
    with pytest.raises(LookupError, match="no entity 'counts'; it has: count"):
        hub.entity_state("counts", "all")
    with pytest.raises(LookupError, match="no activity, orchestrator or entity 'closes'; "):
        hub.calls("closes")
