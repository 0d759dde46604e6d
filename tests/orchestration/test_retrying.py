"""An activity is tried again with growing pauses, until it is not worth it."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from azure.durable_functions.models.history.HistoryEventType import HistoryEventType

from durablehost.app.functions import FunctionTable
from durablehost.testing import Crashed, ManualHub, every_crash
from orchestration.failures import Failure
from orchestration.retrying import Retry

HICCUP = Failure("bank_unavailable", "the bank does not answer", retriable=True)
MINUTE = timedelta(minutes=1)
REFUSED = Failure("refused", "the bank says no")


def pauses(hub: ManualHub) -> list[float]:
    return [(b.at - a.at).total_seconds() for a, b in pairwise(hub.calls("do_work"))]


async def test_hiccups_are_survived(hub: ManualHub) -> None:
    hub.fail_activity("do_work", HICCUP, on_call=1)
    hub.fail_activity("do_work", HICCUP, on_call=2)

    instance = await hub.start("retrier", {})
    await hub.run_until_ended(instance)

    assert hub.output(instance) == "did it"


async def test_the_last_failure_is_the_one_told(hub: ManualHub) -> None:
    for call in (1, 2):
        hub.fail_activity("do_work", HICCUP, on_call=call)
    hub.fail_activity("do_work", Failure("bank_moved", "gone", retriable=True), on_call=3)

    instance = await hub.start("retrier", {"attempts": 3})
    await hub.run_until_ended(instance)

    assert hub.output(instance) == {"code": "bank_moved", "message": "gone"}


async def test_a_refusal_is_not_tried_again(hub: ManualHub) -> None:
    hub.fail_activity("do_work", REFUSED)

    instance = await hub.start("retrier", {})

    assert hub.output(instance) == REFUSED.as_data()
    assert len(hub.calls("do_work")) == 1


async def test_a_failure_that_nobody_foresaw_is_tried_again(hub: ManualHub) -> None:
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


async def test_many_instances_do_not_return_in_the_same_moment(hub: ManualHub) -> None:
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


async def test_a_code_that_no_attempt_mends_is_not_tried_again(hub: ManualHub) -> None:
    hub.fail_activity("do_work", HICCUP)

    instance = await hub.start("retrier", {"never_for": ["bank_unavailable"]})

    assert hub.output(instance) == HICCUP.as_data()
    assert len(hub.calls("do_work")) == 1


async def test_other_codes_are_tried_again(hub: ManualHub) -> None:
    hub.fail_activity("do_work", HICCUP)

    instance = await hub.start("retrier", {"never_for": ["bank_moved"]})
    await hub.run_until_ended(instance)

    assert hub.output(instance) == "did it"


async def test_an_attempt_that_takes_too_long_is_followed_by_another(hub: ManualHub) -> None:
    ends = iter(["in time", "too late"])
    hub.replace_activity("do_work", lambda _: next(ends))
    await begin_with_a_slow_attempt(hub)

    await hub.run_until_ended("i")

    assert hub.output("i") == "in time"
    assert len(hub.calls("do_work")) == 2


async def test_what_lost_keeps_its_instance_running_until_it_ends_as_it_cannot_be_stopped(
    hub: ManualHub,
) -> None:
    begun = hub.clock.now()
    await begin_with_a_slow_attempt(hub)

    await hub.advance(timedelta(seconds=20))
    assert len(hub.calls("do_work")) == 1
    assert hub.status("i") == "Running"

    await hub.run_until_ended("i")
    assert hub.clock.now() == begun + MINUTE
    assert [problem.kind for problem in hub.problems("i")] == ["kept-running"]


async def test_an_attempt_in_time_leaves_no_timer_that_keeps_its_instance_running(
    hub: ManualHub,
) -> None:
    instance = await hub.start("retrier", {"attempt_within": 3600})

    assert (hub.status(instance), hub.output(instance)) == ("Completed", "did it")


async def test_an_attempt_that_fails_in_time_is_tried_again_after_its_pause(
    hub: ManualHub,
) -> None:
    hub.fail_activity("do_work", HICCUP)

    instance = await hub.start("retrier", {"attempt_within": 3600})
    await hub.advance(timedelta(seconds=3))

    assert hub.output(instance) == "did it"


async def test_attempts_that_all_take_too_long_end_with_that_code(hub: ManualHub) -> None:
    hub.slow_activity("do_work", MINUTE)

    instance = await hub.start("retrier", {"attempt_within": 5, "attempts": 3})
    await hub.run_until_ended(instance)

    assert hub.output(instance)["code"] == "timed_out"
    assert len(hub.calls("do_work")) == 3


async def test_the_deadline_cuts_the_last_attempt_short(hub: ManualHub) -> None:
    hub.slow_activity("do_work", timedelta(hours=1))
    begun = hub.clock.now()

    instance = await hub.start("retrier", {"attempt_within": 60, "attempts": 9, "within": 100})
    await hub.run_until_ended(instance)

    assert hub.output(instance)["code"] == "timed_out"
    assert len(hub.calls("do_work")) == 2
    assert fires(hub, instance)[-1] == begun + timedelta(seconds=100)


def test_jitter_only_adds() -> None:
    assert Retry().pause(4, share=0.0) == timedelta(seconds=16)
    assert Retry().pause(4, share=1.0) == timedelta(seconds=20)


def test_a_pause_has_a_cap() -> None:
    assert Retry().pause(30, share=0.0) == timedelta(minutes=1)


@pytest.mark.parametrize("attempt", [2_000, 10**9])
def test_a_pause_has_its_cap_at_however_late_an_attempt(attempt: int) -> None:
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


async def begin_with_a_slow_attempt(hub: ManualHub) -> None:
    """Start what waits five seconds for an attempt; only the first takes a minute."""
    hub.slow_activity("do_work", MINUTE)
    await hub.start("retrier", {"attempt_within": 5}, instance_id="i")
    hub.slow_activity("do_work", timedelta())


def fires(hub: ManualHub, instance_id: str) -> list[datetime]:
    """When the timers of an instance were to fire."""
    history = hub.history(instance_id)
    created = [event for event in history if event["EventType"] == HistoryEventType.TIMER_CREATED]
    return [datetime.fromisoformat(event["FireAt"]) for event in created]
