"""What a test hub says of instances that failed, that wait, or that have problems."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import azure.durable_functions as df
import pytest

from durablehost.testing import (
    InstanceFailed,
    ManualHub,
    ProblemsNoticed,
    RuntimeStatus,
    Stuck,
    Waits,
)

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HERE = Path(__file__).name
TIMER = "the timer of 2026-03-02 00:00:00 (in 1 day, 0:00:00)"

app = df.DFApp()


@app.orchestration_trigger(context_name="context", input_type=str)
def orders(context):
    return (yield context.call_activity("find_order", context.get_input()))


@app.activity_trigger(input_name="number")
def find_order(number):
    raise KeyError(f"no order {number}")


@app.orchestration_trigger(context_name="context", input_type=str)
def months(context):
    order = yield context.call_sub_orchestrator("orders", context.get_input(), "child")
    return order


@app.orchestration_trigger(context_name="context")
def asks_stock(context):
    return (yield context.call_entity(df.EntityId("Stock", "Bolts"), "count"))


@app.entity_trigger(context_name="context", entity_name="Stock")
def stock(context):
    context.set_result(0)


@app.orchestration_trigger(context_name="context")
def checks(context):
    yield context.create_timer(context.current_utc_datetime + DAY)
    raise ValueError("the month is closed")


@app.orchestration_trigger(context_name="context")
def waits(context):
    yield context.task_any(
        [
            context.wait_for_external_event("Approved"),
            context.create_timer(context.current_utc_datetime + 3 * DAY),
            context.call_activity("slow", None),
            context.call_sub_orchestrator("checks", None, "the child"),
        ]
    )
    yield context.create_timer(context.current_utc_datetime + 9 * DAY)


@app.activity_trigger(input_name="nothing")
def slow(nothing):
    return "slow"


@app.orchestration_trigger(context_name="context")
def hurries(context):
    yield context.create_timer(context.current_utc_datetime + timedelta(milliseconds=500))
    return "done"


def line_of(text: str) -> int:
    """The number of the line of this file that holds the text."""
    lines = Path(__file__).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def new_hub() -> ManualHub:
    return ManualHub(app, start=START)


# Results


async def test_the_result_is_the_output_once_the_instance_has_ended() -> None:
    async with new_hub() as hub:
        hub.replace_activity("find_order", lambda number: {"number": number})

        assert await hub.result(await hub.start("orders", "PO-1")) == {"number": "PO-1"}


async def test_a_failed_instance_has_no_result_but_a_reason_with_activity_file_and_line() -> None:
    place = f"{HERE}:{line_of('raise KeyError')}"
    async with new_hub() as hub:
        failed = await hub.start("orders", "PO-1", instance_id="o")
        with pytest.raises(InstanceFailed) as caught:
            await hub.result(failed)

    first, *reasons = str(caught.value).splitlines()
    assert first.startswith("orders 'o' Failed: Orchestrator function 'orders' failed: Activity")
    assert first.endswith("KeyError: 'no order PO-1'")
    assert any("activity 'find_order' failed at " in one and place in one for one in reasons)


async def test_the_reason_of_a_parent_leads_to_the_activity_of_its_child() -> None:
    async with new_hub() as hub:
        failed = await hub.start("months", "PO-1", instance_id="m")

        said = hub.explain(failed)

    assert said.startswith("months 'm' Failed: ")
    assert "orders 'child' Failed: " in said
    assert "activity 'find_order' failed at " in said


async def test_a_failure_in_the_code_of_the_orchestrator_has_its_line() -> None:
    async with new_hub() as hub:
        failed = await hub.start("checks")
        with pytest.raises(InstanceFailed, match=f"raised by the orchestrator at .*{HERE}:") as e:
            await hub.result(failed)

    assert f":{line_of('raise ValueError')}" in str(e.value)


async def test_the_reason_names_the_entity_whose_operation_failed() -> None:
    async with new_hub() as hub:
        hub.replace_entity("Stock", lambda key, operation, given: 1 / 0)
        failed = await hub.start("asks_stock")

        said = hub.explain(failed)

    assert "failed: division by zero" in said
    assert said.endswith("\n  operation 'count' of the entity '@stock@Bolts' failed")


async def test_a_terminated_instance_has_no_result() -> None:
    async with new_hub() as hub:
        waiting = await hub.start("checks", instance_id="c")
        await hub.terminate(waiting, "mistyped")

        with pytest.raises(InstanceFailed, match="checks 'c' Terminated: mistyped"):
            await hub.result(waiting)


# Waiting


async def test_all_that_an_instance_waits_for_is_listed() -> None:
    async with new_hub() as hub:
        hub.slow_activity("slow", 5 * DAY)
        waiting = await hub.start("waits", instance_id="w")

        assert hub.waits_for(waiting) == Waits(
            events=("Approved",),
            timers=(START + 3 * DAY,),
            activities=("slow",),
            children=("the child",),
        )
        assert hub.waits_for("the child") == Waits(timers=(START + DAY,))
        assert str(hub.waits_for("the child")) == TIMER


async def test_a_call_of_an_entity_is_listed_by_the_id_of_the_entity() -> None:
    async with new_hub() as hub:
        during: list[tuple[Waits, str]] = []

        def look(key: str, operation: str, given: object) -> int:
            during.append((hub.waits_for("a"), repr(hub.instance("a"))))
            return 3

        hub.replace_entity("Stock", look)
        asked = await hub.start("asks_stock", instance_id="a")

        assert during == [
            (
                Waits(entities=("@stock@Bolts",)),
                "<asks_stock 'a' Running, waits for the entity '@stock@Bolts'>",
            )
        ]
        assert hub.output(asked) == 3
        assert hub.waits_for(asked) == Waits()


async def test_an_instance_that_cannot_end_in_time_says_what_it_waits_for() -> None:
    async with new_hub() as hub:
        waiting = await hub.start("checks", instance_id="c")
        with pytest.raises(Stuck, match="within 1:00:00:\nchecks 'c' Running, waits for the timer"):
            await hub.result(waiting, within=timedelta(hours=1))


async def test_instances_show_themselves_readably() -> None:
    async with new_hub() as hub:
        running = hub.instance(await hub.start("checks", instance_id="c"))
        hub.replace_activity("find_order", lambda number: [number])
        ended = hub.instance(await hub.start("orders", "PO-1", instance_id="o"))
        shown = repr(running), repr(ended)

    assert shown[0] == f"<checks 'c' Running, waits for {TIMER}>"
    assert shown[1] == "<orders 'o' Completed: [\"PO-1\"]>"
    assert (running.input, ended.input, ended.output) == (None, "PO-1", ["PO-1"])
    assert repr(running) == "<checks 'c' Running>"  # a closed hub cannot say more


async def test_a_status_is_text_that_explains_itself() -> None:
    async with new_hub() as hub:
        status = hub.status(await hub.start("orders", "PO-1"))

        assert (status, isinstance(status, RuntimeStatus)) == ("Failed", True)
        assert "KeyError: 'no order PO-1'" in status.explain()


# Problems


async def test_a_problem_that_is_not_allowed_fails_the_test_with_its_text() -> None:
    with pytest.raises(ProblemsNoticed) as caught:
        async with new_hub() as hub:
            await hub.start("hurries", instance_id="h")

    assert "short-timer: 'h' set a timer for 0.5 s (" in str(caught.value)
    assert 'hub.allow_problems("short-timer")' in str(caught.value)


@pytest.mark.parametrize("allowed", [["short-timer"], []])
async def test_problems_that_are_allowed_do_not_fail_the_test(allowed: list[str]) -> None:
    async with new_hub() as hub:
        hub.allow_problems(*allowed)
        await hub.start("hurries")

        assert [problem.kind for problem in hub.problems()] == ["short-timer"]


async def test_what_a_test_raises_is_not_hidden_by_a_problem() -> None:
    async def fails() -> None:
        async with new_hub() as hub:
            await hub.start("hurries")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
