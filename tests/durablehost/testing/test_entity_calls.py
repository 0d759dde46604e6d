"""What `hub.calls` shows of the operations that orchestrators send to entities."""

from typing import Any

import azure.durable_functions as df
import pytest

from durablehost.testing import Call, ManualHub, every_crash

app = df.DFApp()


@app.orchestration_trigger(context_name="context", input_type=dict)
def trip(context):
    """Notes each leg in the log of the car, and asks for the distance."""
    asked = context.get_input()
    log = df.EntityId("Mileage", asked["car"])
    for leg in asked["legs"]:
        context.signal_entity(log, "drive", leg)
    yield context.call_activity("park", asked["car"])
    try:
        return (yield context.call_entity(log, asked.get("asks", "distance")))
    except Exception as error:  # the SDK raises nothing narrower
        return f"unknown: {error}"


@app.orchestration_trigger(context_name="context")
def outing(context):
    """Asks the logs of two cars, with a trip between, all at once."""
    here, there = (df.EntityId("Mileage", car) for car in ("here", "there"))
    first = context.call_entity(here, "distance")
    ride = context.call_sub_orchestrator("trip", {"car": "here", "legs": []}, "ride")
    second = context.call_entity(there, "distance")
    return (yield context.task_all([first, ride, second]))


@app.activity_trigger(input_name="car")
def park(car):
    return f"{car} is parked"


@app.entity_trigger(context_name="context", entity_name="Mileage")
def mileage(context):
    driven = context.get_state(lambda: 0)
    if context.operation_name == "drive":
        context.set_state(driven + context.get_input()["km"])
    elif context.operation_name == "distance":
        context.set_result(driven)
    else:
        raise ValueError(f"no operation '{context.operation_name}'")


@pytest.fixture
def durable_app() -> df.DFApp:
    return app


async def drive(hub: ManualHub, **asked: Any) -> object:
    legs = [{"km": 3}, {"km": 4}]
    started = await hub.start("trip", {"car": "red", "legs": legs, **asked}, instance_id="t")
    return await hub.result(started)


def shown(calls: list[Call]) -> list[tuple[object, ...]]:
    return [(c.kind, c.name, c.key, c.operation, c.input, c.result, c.error) for c in calls]


DRIVEN = [
    ("signal", "Mileage", "red", "drive", {"km": 3}, None, None),
    ("signal", "Mileage", "red", "drive", {"km": 4}, None, None),
    ("activity", "park", None, None, "red", "red is parked", None),
    ("entity", "Mileage", "red", "distance", None, 7, None),
]


async def test_operations_of_entities_are_among_the_calls_in_their_order(hub: ManualHub) -> None:
    assert await drive(hub) == 7

    assert shown(hub.calls()) == DRIVEN
    assert {(call.instance_id, call.at, call.ended) for call in hub.calls()} == {
        ("t", hub.clock.now(), True)
    }


async def test_operations_are_found_by_the_name_of_the_entity_and_by_their_kind(
    hub: ManualHub,
) -> None:
    await drive(hub)

    assert shown(hub.calls("mileage")) == [DRIVEN[0], DRIVEN[1], DRIVEN[3]]
    assert shown(hub.calls(kind="signal")) == DRIVEN[:2]
    assert shown(hub.calls("Mileage", kind="entity")) == DRIVEN[3:]


async def test_a_failed_operation_shows_what_the_orchestrator_gets(hub: ManualHub) -> None:
    failed = await drive(hub, asks="colour")

    [call] = hub.calls(kind="entity")
    assert (failed, call.error) == ("unknown: no operation 'colour'", "no operation 'colour'")
    assert (call.result, call.ended) == (None, True)


async def test_calls_show_themselves_readably(hub: ManualHub) -> None:
    during = []

    def answer(key: str, operation: str, given: Any) -> None:
        during.append(repr(hub.calls()[-1]))
        if operation == "distance":
            raise LookupError("no such car")

    hub.replace_entity("Mileage", answer)
    await drive(hub)

    assert during[-1] == "<entity Mileage 'red' distance(None) has not ended>"
    assert list(map(repr, hub.calls()[1:])) == [
        "<signal Mileage 'red' drive({'km': 4})>",
        "<activity park('red') = 'red is parked'>",
        "<entity Mileage 'red' distance(None) failed: no such car>",
    ]


async def test_operations_that_a_stub_answers_are_calls_too(hub: ManualHub) -> None:
    def answer(key: str, operation: str, given: Any) -> int:
        if operation == "weight":
            raise LookupError("not weighed")
        return 99

    hub.replace_entity("mileage", answer)
    assert await drive(hub) == 99
    await hub.purge("t")
    assert await drive(hub, asks="weight") == "unknown: not weighed"

    asked = hub.calls(kind="entity")
    assert [(call.result, call.error) for call in asked] == [(99, None), (None, "not weighed")]
    assert [call.input["km"] for call in hub.calls(kind="signal")] == [3, 4, 3, 4]


async def test_operations_and_children_of_one_step_are_in_the_order_of_the_code(
    hub: ManualHub,
) -> None:
    await hub.result(await hub.start("outing"))

    made = [
        (call.kind, call.key or call.name) for call in hub.calls() if call.instance_id != "ride"
    ]
    assert made == [("entity", "here"), ("orchestrator", "trip"), ("entity", "there")]


async def test_an_operation_is_one_call_whatever_crashes() -> None:
    operations = []
    async for hub in every_crash(app, drive):
        cut_off = [call.ended for call in hub.calls(kind="entity")]
        await hub.result("t")
        assert shown(hub.calls("mileage")) == [DRIVEN[0], DRIVEN[1], DRIVEN[3]]
        operations.append(cut_off)

    assert [False] in operations  # a crash before the answer was saved


async def test_what_no_orchestrator_sent_is_not_a_call(hub: ManualHub) -> None:
    await hub.signal("Mileage", "red", "drive", {"km": 5})
    await (await hub.client()).signal_entity(df.EntityId("Mileage", "red"), "drive", {"km": 6})
    assert await hub.call_entity("Mileage", "red", "distance") == 5 + 6

    assert hub.calls() == []
