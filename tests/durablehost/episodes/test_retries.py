"""Retries in episodes: each failure takes an id for a timer, each new try one for itself."""

from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import pytest

from durablehost.episodes.scheduled import CallChild
from tests.durablehost.episodes.stepping import (
    Context,
    Episodes,
    Flow,
    called,
    child_failed,
    completed,
    failed,
    fired,
    output,
    problems,
    timers,
)

THREE_TRIES = df.RetryOptions(5000, 3)
SECOND = timedelta(seconds=1)


def retrying(context: Context) -> Flow:
    result = yield context.call_activity_with_retry("act", THREE_TRIES, "a")
    return (yield context.call_activity("other", result))


def test_a_try_that_succeeds_takes_one_id() -> None:
    instance = Episodes(retrying)
    assert called(instance.begin()) == [(0, '"a"')]

    assert called(instance.next(completed(0, "ok"))) == [(1, '"ok"')]


def test_between_two_tries_there_is_a_timer_of_the_pause() -> None:
    instance = Episodes(retrying)
    instance.begin()

    assert timers(instance.next(failed(0))) == [(1, 2 * SECOND + 5 * SECOND)]
    assert called(instance.next(fired(1))) == [(2, '"a"')]
    assert called(instance.next(completed(2, "ok"))) == [(3, '"ok"')]


def test_after_the_last_try_one_more_timer_fires_at_once_before_the_error_is_raised() -> None:
    instance = Episodes(retrying)
    instance.begin()
    instance.next(failed(0, "first"))
    instance.next(fired(1))
    instance.next(failed(2, "second"))
    instance.next(fired(3))

    last = instance.next(failed(4, "third"))
    assert timers(last) == [(5, timedelta(seconds=6))]  # the very time of that episode

    decision = instance.next(fired(5))
    assert decision.instance.status == "Failed"
    assert output(decision).endswith("failed: third \n details")


def test_a_single_try_has_that_timer_too() -> None:
    def flow(context: Context) -> Flow:
        try:
            yield context.call_activity_with_retry("act", df.RetryOptions(5000, 1))
        except Exception:
            yield context.call_activity("other", "undo")

    instance = Episodes(flow)
    instance.begin()

    assert timers(instance.next(failed(0))) == [(1, timedelta(seconds=2))]
    assert called(instance.next(fired(1))) == [(2, '"undo"')]


def test_retries_side_by_side_take_ids_in_the_order_of_their_failures() -> None:
    def flow(context: Context) -> Flow:
        tasks = [context.call_activity_with_retry("act", THREE_TRIES, n) for n in range(2)]
        return (yield context.task_all(tasks))

    instance = Episodes(flow)
    assert called(instance.begin()) == [(0, "0"), (1, "1")]

    assert [number for number, _ in timers(instance.next(failed(1), failed(0)))] == [2, 3]
    assert called(instance.next(fired(3))) == [(4, "0")]
    assert called(instance.next(fired(2))) == [(5, "1")]
    instance.next(completed(5, "b"))
    assert output(instance.next(completed(4, "a"))) == ["a", "b"]


def test_a_retry_and_the_call_after_it_take_their_ids_event_by_event() -> None:
    def flow(context: Context) -> Flow:
        first = context.call_activity_with_retry("act", THREE_TRIES)
        yield context.task_any([first, context.call_activity("act", "b")])
        yield context.call_activity("other", "after")
        yield first

    instance = Episodes(flow)
    instance.begin()

    decision = instance.next(completed(1), failed(0))

    assert called(decision) == [(2, '"after"')]
    assert [number for number, _ in timers(decision)] == [3]


def test_a_child_is_tried_again_under_a_new_id_unless_it_was_given_one() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_sub_orchestrator_with_retry("child", THREE_TRIES)
        yield context.call_sub_orchestrator_with_retry("child", THREE_TRIES, instance_id="mine")

    def child_of(instance: Episodes, *events: Any) -> str:
        [child] = instance.next(*events).scheduled
        assert isinstance(child, CallChild)
        return child.instance_id

    instance = Episodes(flow)
    [first] = instance.begin().scheduled
    assert isinstance(first, CallChild)
    assert first.instance_id == "x:0"
    instance.next(child_failed(0))
    assert child_of(instance, fired(1)) == "x:2"
    assert child_of(instance, completed(2)) == "mine"
    instance.next(child_failed(3))
    assert child_of(instance, fired(4)) == "mine"


def test_a_pause_under_a_second_is_no_pause_and_is_reported() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity_with_retry("act", df.RetryOptions(500, 3))

    instance = Episodes(flow)
    assert problems(instance.begin()) == []

    assert problems(instance.next(failed(0))) == ["short-timer"]


DAYS = 24 * 60 * 60 * 1000


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (df.RetryOptions(7 * DAYS, 3), "604800000 ms, over six days"),
        (df.RetryOptions(10**18, 3), "over six days"),
        (df.RetryOptions(5000, 0), "tried 0 times"),
    ],
)
def test_a_retry_the_host_refuses_is_never_made_and_waited_for_forever(
    options: df.RetryOptions, why: str
) -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity_with_retry("act", options)

    decision = Episodes(flow).begin()

    assert (decision.instance.status, decision.scheduled) == ("Running", [])
    [dropped] = decision.problems
    assert dropped.kind == "dropped-call"
    assert why in dropped.text


def test_a_pause_of_six_days_is_taken() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity_with_retry("act", df.RetryOptions(6 * DAYS, 2))

    instance = Episodes(flow)
    instance.begin()

    assert timers(instance.next(failed(0))) == [(1, timedelta(days=6, seconds=2))]
