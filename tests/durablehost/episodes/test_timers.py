"""Timers in episodes: what is set, what keeps an instance Running, how long ones are pieced."""

from datetime import datetime, timedelta
from typing import Any

from tests.durablehost.episodes.stepping import (
    START,
    Context,
    Episodes,
    Flow,
    called,
    completed,
    fired,
    output,
    raised,
    timers,
)

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def test_a_timer_is_set_for_its_time_and_its_firing_goes_on() -> None:
    def flow(context: Context) -> Flow:
        yield context.create_timer(context.current_utc_datetime + HOUR)
        return "fired"

    instance = Episodes(flow)

    assert timers(instance.begin()) == [(0, HOUR + timedelta(seconds=1))]
    assert output(instance.next(fired(0))) == "fired"


def test_a_timer_in_the_past_is_set_all_the_same() -> None:
    def flow(context: Context) -> Flow:
        yield context.create_timer(START - HOUR)

    assert timers(Episodes(flow).begin()) == [(0, -HOUR)]


def test_a_timer_for_a_time_without_a_zone_fails_the_instance() -> None:
    def flow(context: Context) -> Flow:
        yield context.create_timer(datetime(2026, 1, 2))

    decision = Episodes(flow).begin()

    assert decision.instance.status == "Failed"
    assert "can't compare offset-naive and offset-aware datetimes" in output(decision)


def race(context: Context) -> Flow:
    timer: Any = context.create_timer(START + HOUR)
    event = context.wait_for_external_event("decided")
    winner = yield context.task_any([timer, event])
    if winner is event:
        timer.cancel()
    return "event" if winner is event else "timer"


def test_a_cancelled_timer_does_not_keep_the_instance_running() -> None:
    instance = Episodes(race)
    instance.begin()

    decision = instance.next(raised("decided"))

    assert (decision.instance.status, output(decision)) == ("Completed", "event")


def test_a_timer_that_nobody_cancels_keeps_the_instance_running_until_it_fires() -> None:
    def flow(context: Context) -> Flow:
        timer: Any = context.create_timer(START + HOUR)
        yield context.task_any([timer, context.wait_for_external_event("decided")])
        return "event"

    instance = Episodes(flow)
    instance.begin()

    assert instance.next(raised("decided")).instance.status == "Running"
    assert output(instance.next(fired(0))) == "event"


def test_the_firing_of_a_cancelled_timer_changes_nothing() -> None:
    def flow(context: Context) -> Flow:
        timer: Any = context.create_timer(START + HOUR)
        yield context.task_any([timer, context.wait_for_external_event("decided")])
        timer.cancel()
        return (yield context.call_activity("act"))

    instance = Episodes(flow)
    instance.begin()
    assert called(instance.next(raised("decided"))) == [(1, "null")]

    decision = instance.next(fired(0))

    assert (decision.instance.status, decision.scheduled) == ("Running", [])
    assert output(instance.next(completed(1, "done"))) == "done"


def test_a_timer_cancelled_before_it_was_ever_scheduled_is_scheduled_and_not_waited_for() -> None:
    def flow(context: Context) -> Flow:
        timer: Any = context.create_timer(START + HOUR)
        timer.cancel()
        yield context.task_any([timer, context.call_activity("act")])

    instance = Episodes(flow)

    assert timers(instance.begin()) == [(0, HOUR)]
    assert instance.next(completed(1)).instance.status == "Completed"


def test_cancelling_a_timer_that_fired_fails_the_instance() -> None:
    def flow(context: Context) -> Flow:
        timer: Any = context.create_timer(START + HOUR)
        yield timer
        timer.cancel()

    instance = Episodes(flow)
    instance.begin()

    decision = instance.next(fired(0))

    assert decision.instance.status == "Failed"
    assert output(decision).endswith("failed: Cannot cancel a completed task.")


def test_a_timer_over_six_days_is_a_chain_of_pieces_of_three_days_at_most() -> None:
    def flow(context: Context) -> Flow:
        yield context.create_timer(START + 10 * DAY)
        return str(context.current_utc_datetime)

    instance = Episodes(flow)
    second = timedelta(seconds=1)

    assert timers(instance.begin()) == [(0, 3 * DAY + second)]
    assert timers(instance.next(fired(0), after=3 * DAY)) == [(1, 6 * DAY + second)]
    assert timers(instance.next(fired(1), after=3 * DAY)) == [(2, 10 * DAY)]
    last = instance.next(fired(2), after=4 * DAY)
    assert output(last) == "2026-01-11 00:00:01+00:00"


def test_a_timer_over_six_days_cannot_be_cancelled() -> None:
    def flow(context: Context) -> Flow:
        timer: Any = context.create_timer(START + 7 * DAY)
        yield context.task_any([timer, context.wait_for_external_event("decided")])
        timer.cancel()
        return "decided"

    instance = Episodes(flow)
    instance.begin()

    assert instance.next(raised("decided")).instance.status == "Running"
    assert instance.next(fired(0), after=3 * DAY).instance.status == "Completed"


def test_six_days_to_the_second_is_a_timer_in_one_piece() -> None:
    def flow(context: Context) -> Flow:
        yield context.create_timer(context.current_utc_datetime + 6 * DAY)

    assert timers(Episodes(flow).begin()) == [(0, 6 * DAY + timedelta(seconds=1))]


def test_the_second_piece_of_a_long_timer_waits_for_what_was_called_before_it() -> None:
    def flow(context: Context) -> Flow:
        long = context.create_timer(START + 7 * DAY)
        first = yield context.task_any([long, context.wait_for_external_event("go")])
        yield context.call_activity("act", str(type(first).__name__))
        yield long

    instance = Episodes(flow)
    instance.begin()
    assert called(instance.next(raised("go"))) == [(1, '"AtomicTask"')]

    assert instance.next(fired(0), after=3 * DAY).scheduled == []
    assert timers(instance.next(completed(1))) == [(2, 7 * DAY)]


def test_a_loop_of_timers_takes_one_id_a_round() -> None:
    def flow(context: Context) -> Flow:
        for _ in range(3):
            yield context.create_timer(context.current_utc_datetime + HOUR)

    instance = Episodes(flow)
    set_first = timers(instance.begin())
    set_second = timers(instance.next(fired(0), after=HOUR))
    set_third = timers(instance.next(fired(1), after=HOUR))

    assert [number for number, _ in set_first + set_second + set_third] == [0, 1, 2]
    assert instance.next(fired(2), after=HOUR).instance.status == "Completed"
