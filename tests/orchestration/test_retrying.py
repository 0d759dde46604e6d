"""An activity is retried after growing pauses, until it succeeds, is refused, or time is over."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from azure.durable_functions.models.history.HistoryEventType import HistoryEventType

from durablehost.app.functions import FunctionTable
from durablehost.testing import Crashed, ManualHub, every_crash
from orchestration.failures import Failure
from orchestration.retrying import Retry

HICCUP = Failure("bank_unavailable", "the bank does not answer", retriable=True)
REFUSED = Failure("refused", "the bank says no")


def pauses(hub: ManualHub) -> list[float]:
    return [(b.at - a.at).total_seconds() for a, b in pairwise(hub.calls("do_work"))]


async def test_an_activity_that_fails_twice_is_retried(hub: ManualHub) -> None:
    hub.fail_activity("do_work", HICCUP, on_call=1)
    hub.fail_activity("do_work", HICCUP, on_call=2)

    instance = await hub.start("retrier", {})
    await hub.run_until_ended(instance)

    assert hub.output(instance) == "did it"


async def test_the_last_failure_is_raised(hub: ManualHub) -> None:
    for call in (1, 2):
        hub.fail_activity("do_work", HICCUP, on_call=call)
    hub.fail_activity("do_work", Failure("bank_moved", "gone", retriable=True), on_call=3)

    instance = await hub.start("retrier", {"attempts": 3})
    await hub.run_until_ended(instance)

    assert hub.output(instance) == {"code": "bank_moved", "message": "gone"}


async def test_a_refusal_is_not_retried(hub: ManualHub) -> None:
    hub.fail_activity("do_work", REFUSED)

    instance = await hub.start("retrier", {})

    assert hub.output(instance) == REFUSED.as_data()
    assert len(hub.calls("do_work")) == 1


async def test_an_unexpected_failure_is_retried(hub: ManualHub) -> None:
    hub.fail_activity("do_work", RuntimeError("the worker was lost"))

    instance = await hub.start("retrier", {})
    await hub.run_until_ended(instance)

    assert hub.output(instance) == "did it"


async def test_pauses_grow_from_attempt_to_attempt(hub: ManualHub) -> None:
    hub.replace_activity("do_work", failing)

    instance = await hub.start("retrier", {})
    await hub.run_until_ended(instance)

    assert len(pauses(hub)) == 4
    assert all(later > earlier for earlier, later in pairwise(pauses(hub)))


async def test_no_attempt_starts_after_the_deadline(hub: ManualHub) -> None:
    hub.replace_activity("do_work", failing)

    instance = await hub.start("retrier", {"attempts": 100, "within": 20})
    await hub.run_until_ended(instance)

    assert sum(pauses(hub)) <= 20
    assert hub.output(instance) == HICCUP.as_data()


async def test_instances_do_not_all_retry_at_the_same_moment(hub: ManualHub) -> None:
    hub.replace_activity("do_work", failing)

    for number in range(10):
        await hub.start("retrier", {}, instance_id=f"i{number}")
    await hub.advance(timedelta(hours=1))

    last = {call.instance_id: call.at for call in hub.calls("do_work")}
    assert len(set(last.values())) > 1


async def test_after_a_crash_between_any_two_steps_the_pauses_are_the_same(
    durable_app: FunctionTable,
) -> None:
    async def run(hub: ManualHub) -> None:
        hub.replace_activity("do_work", failing)
        await hub.start("retrier", {}, instance_id="i")
        await hub.run_until_ended("i")

    async with ManualHub(durable_app) as undisturbed:
        await run(undisturbed)
        expected = fires(undisturbed, "i")
    assert len(set(expected)) == 4

    async for hub in every_crash(durable_app, run):
        await hub.run_until_ended("i")

        assert fires(hub, "i") == expected
        assert hub.problems("i") == []


def test_jitter_never_shortens_a_pause() -> None:
    assert Retry().pause(4, share=0.0) == timedelta(seconds=16)
    assert Retry().pause(4, share=1.0) == timedelta(seconds=20)


def test_a_pause_has_a_limit() -> None:
    assert Retry().pause(30, share=0.0) == timedelta(minutes=1)


@pytest.mark.parametrize("attempt", [2_000, 10**9])
def test_a_pause_has_its_limit_at_any_attempt(attempt: int) -> None:
    assert Retry().pause(attempt, share=0.0) == timedelta(minutes=1)


@pytest.mark.parametrize("commits", range(1, 9))
async def test_a_crash_between_any_two_steps_changes_nothing(hub: ManualHub, commits: int) -> None:
    hub.fail_activity("do_work", HICCUP, on_call=1)
    hub.crash_after(commits)
    try:
        await hub.start("retrier", {}, instance_id="i")
        await hub.run_until_ended("i")
    except Crashed:
        hub.crash()

    await hub.run_until_ended("i")

    assert hub.output("i") == "did it"
    assert hub.problems("i") == []


def failing(_: object) -> object:
    raise HICCUP


def fires(hub: ManualHub, instance_id: str) -> list[datetime]:
    """When the timers of an instance were to fire."""
    history = hub.history(instance_id)
    created = [event for event in history if event["EventType"] == HistoryEventType.TIMER_CREATED]
    return [datetime.fromisoformat(event["FireAt"]) for event in created]
