"""Retries of the SDK in a race and in a fan-out: what goes wrong, and what does not.

The SDK and the host number scheduled tasks separately. After a race they can do so in another
order while a retry is under way (Azure/azure-functions-durable-python#603, closed as wontfix).
"""

from collections.abc import Generator
from datetime import timedelta
from itertools import combinations
from typing import Any

import azure.durable_functions as df
import pytest

from durablehost.testing import ManualHub

Flow = Generator[Any, Any, Any]

RETRY = df.RetryOptions(5_000, 5)
MINUTE = timedelta(minutes=1)

app = df.DFApp()


@app.activity_trigger(input_name="name")
def fetch(name):
    return f"fetched {name}"


@app.activity_trigger(input_name="name")
def store(name):
    return f"stored {name}"


@app.orchestration_trigger(context_name="context", input_type=str)
def fetch_with_retry(context):
    return (yield context.call_activity_with_retry("fetch", RETRY, context.get_input()))


def then_all(context: Any, fetches: list[Any], activity: str) -> Flow:
    """Wait for the fetches, a minute at first, and then call an activity on two things."""
    timer = context.create_timer(context.current_utc_datetime + MINUTE)
    yield context.task_any([*fetches, timer])
    timer.cancel()
    fetched = yield context.task_all(fetches)
    return fetched, (yield context.task_all([context.call_activity(activity, n) for n in "xy"]))


@app.orchestration_trigger(context_name="context", input_type=str)
def races_retries(context):
    fetches = [context.call_activity_with_retry("fetch", RETRY, name) for name in "abc"]
    return (yield from then_all(context, fetches, context.get_input()))


@app.orchestration_trigger(context_name="context", input_type=str)
def races_children(context):
    fetches = [
        context.call_sub_orchestrator("fetch_with_retry", name, expected_type=str) for name in "abc"
    ]
    return (yield from then_all(context, fetches, context.get_input()))


@app.orchestration_trigger(context_name="context")
def keeps_the_timer(context):
    fetches = [context.call_activity_with_retry("fetch", RETRY, name) for name in "abc"]
    timer = context.create_timer(context.current_utc_datetime + MINUTE)
    yield context.task_any([*fetches, timer])
    yield context.task_all(fetches)
    return (yield context.task_all([context.call_activity("fetch", name) for name in "xy"]))


@app.orchestration_trigger(context_name="context")
def fans_out_twice(context):
    first = yield context.task_all(
        [context.call_activity_with_retry("fetch", RETRY, name) for name in "abc"]
    )
    return first, (yield context.task_all([context.call_activity("store", name) for name in "xy"]))


@app.orchestration_trigger(context_name="context")
def races_an_event(context):
    stop = context.wait_for_external_event("Stop")
    fetched = context.call_activity_with_retry("fetch", RETRY, "a")
    yield context.task_any([stop, fetched])
    yield fetched
    return stop.is_completed, (yield context.call_activity("store", "x"))


@app.orchestration_trigger(context_name="context")
def listens_before(context):
    stop = context.wait_for_external_event("Stop")
    yield context.task_any([stop, context.create_timer(context.current_utc_datetime)])
    yield context.call_activity_with_retry("fetch", RETRY, "a")
    return stop.is_completed, (yield context.call_activity("store", "x"))


FETCHED = [f"fetched {name}" for name in "abc"]


async def test_a_fan_out_after_a_race_of_retries_fails_the_instance() -> None:
    async with ManualHub(app) as hub:
        hub.allow_problems("replay-differs", "unnoticed-change")
        hub.fail_activity("fetch", ValueError("not now"), on_call=1)

        instance = await hub.start(races_retries, "store")
        await hub.run_until_ended(instance)

        assert hub.status(instance) == "Failed"
        assert "Non-Deterministic workflow detected" in hub.output(instance)


async def test_it_can_also_get_the_results_of_other_calls() -> None:
    async with ManualHub(app) as hub:
        hub.allow_problems("kept-running", "unnoticed-change")
        hub.fail_activity("fetch", ValueError("not now"), on_call=1)

        instance = await hub.start(keeps_the_timer)
        await hub.run_until_ended(instance)

        assert hub.output(instance) == ["fetched y", "fetched a"]
        assert "unnoticed-change" in [problem.kind for problem in hub.problems(instance)]


async def stopped_during_a_retry(hub: ManualHub, orchestrator: Any) -> str:
    hub.fail_activity("fetch", ValueError("not now"), on_call=1)
    instance = await hub.start(orchestrator)
    await hub.raise_event(instance, "Stop", None)
    await hub.run_until_ended(instance)
    return instance


async def test_an_event_that_wins_against_a_retry_fails_the_instance() -> None:
    async with ManualHub(app) as hub:
        hub.allow_problems("replay-differs", "unnoticed-change")

        instance = await stopped_during_a_retry(hub, races_an_event)

        assert "Non-Deterministic workflow detected" in hub.output(instance)


async def test_an_event_whose_wait_began_before_the_retry_is_received() -> None:
    async with ManualHub(app) as hub:
        instance = await stopped_during_a_retry(hub, listens_before)

        assert hub.output(instance) == [True, "stored x"]


@pytest.mark.parametrize("activity", ["fetch", "store"])
@pytest.mark.parametrize("failing", [1, 2, 3])
async def test_it_succeeds_where_each_retry_is_a_child_of_its_own(
    activity: str, failing: int
) -> None:
    async with ManualHub(app) as hub:
        hub.fail_activity("fetch", ValueError("not now"), on_call=failing)

        instance = await hub.start(races_children, activity)
        await hub.run_until_ended(instance)

        done = {"fetch": "fetched", "store": "stored"}[activity]
        assert hub.output(instance) == [FETCHED, [f"{done} x", f"{done} y"]]


CALLS = [calls for many in range(3) for calls in combinations(range(1, 6), many)]


@pytest.mark.parametrize("calls", CALLS, ids=str)
async def test_a_fan_out_with_retries_loses_no_result(calls: tuple[int, ...]) -> None:
    """Before release 1.1.1 of the SDK a result was None (issue 318 of its repository)."""
    async with ManualHub(app) as hub:
        for call in calls:
            hub.fail_activity("fetch", ValueError("not now"), on_call=call)

        instance = await hub.start(fans_out_twice)
        await hub.run_until_ended(instance)

        assert hub.output(instance) == [FETCHED, ["stored x", "stored y"]]
