"""An activity is tried again with growing pauses, until it is not worth it."""

from datetime import timedelta
from itertools import pairwise

import pytest

from devhost.testing import Crashed, ManualHub
from orchestration.failures import Failure
from orchestration.retrying import Retry

HICCUP = Failure("bank_unavailable", "the bank does not answer", retriable=True)
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


def test_jitter_only_adds() -> None:
    assert Retry().pause(4, luck=0.0) == timedelta(seconds=16)
    assert Retry().pause(4, luck=1.0) == timedelta(seconds=20)


def test_a_pause_has_a_cap() -> None:
    assert Retry().pause(30, luck=0.0) == timedelta(minutes=1)


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
