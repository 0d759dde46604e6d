"""A timer function runs on its schedule, and past due where durablehost was down."""

import asyncio
import json
import logging
import typing
from datetime import datetime, timedelta
from pathlib import Path

import azure.durable_functions as df
import azure.functions as func
import pytest

from durablehost.app.loading import index_app
from durablehost.hub.clock import SystemClock
from durablehost.triggers.timers import sleeping_by
from tests.durablehost.triggers.triggering import (
    Alarm,
    KeptInMemory,
    Seen,
    at,
    function_of,
    said,
    triggers_of,
)

NOT_YET = "0001-01-01T00:00:00+00:00"
EVERY_FIVE_MINUTES = "0 */5 * * * *"


def app_with_timer(seen: Seen, schedule: str = EVERY_FIVE_MINUTES, **options: bool) -> df.DFApp:
    app = df.DFApp()

    @app.timer_trigger(schedule=schedule, arg_name="timer", **options)  # type: ignore[arg-type]
    async def tick(timer: func.TimerRequest) -> None:
        seen.note(timer)

    return app


async def test_a_timer_runs_at_every_occurrence_and_is_told_of_the_last_and_next() -> None:
    alarm, seen = Alarm("2026-03-01 12:01:30"), Seen()

    async with triggers_of(app_with_timer(seen), alarm=alarm):
        assert await alarm.next_set() == at("2026-03-01 12:05:00")
        alarm.move_to(at("2026-03-01 12:05:00.5"))
        first = await seen.next()
        assert await alarm.next_set() == at("2026-03-01 12:10:00")
        alarm.move_to(at("2026-03-01 12:10:00"))
        second = await seen.next()

    assert (first.past_due, first.schedule) == (False, {"AdjustForDST": True})
    assert first.schedule_status == {
        "Last": NOT_YET,
        "Next": "2026-03-01T12:05:00+00:00",
        "LastUpdated": NOT_YET,
    }
    assert second.schedule_status == {
        "Last": "2026-03-01T12:05:00.5+00:00",
        "Next": "2026-03-01T12:10:00+00:00",
        "LastUpdated": "2026-03-01T12:05:00.5+00:00",
    }


async def test_a_time_span_counts_from_the_start_and_ignores_daylight_saving() -> None:
    alarm, seen = Alarm("2026-03-01 12:00:07"), Seen()

    async with triggers_of(app_with_timer(seen, "00:30:00"), alarm=alarm):
        due = await alarm.next_set()
        alarm.move_to(due)
        request = await seen.next()

    assert due == at("2026-03-01 12:30:07")
    assert request.schedule == {"AdjustForDST": False}


async def test_run_on_startup_runs_at_once_and_then_on_schedule() -> None:
    alarm, seen = Alarm(), Seen()

    async with triggers_of(app_with_timer(seen, run_on_startup=True), alarm=alarm):
        request = await seen.next()
        due = await alarm.next_set()

    assert not request.past_due
    assert due == at("2026-03-01 12:05:00")


async def test_an_occurrence_missed_while_durablehost_was_down_is_made_up_for_once() -> None:
    state, seen = KeptInMemory(), Seen()
    before, after = Alarm("2026-03-01 12:01:00"), Alarm("2026-03-01 13:02:00")
    async with triggers_of(app_with_timer(seen), state=state, alarm=before):
        await before.next_set()

    async with triggers_of(app_with_timer(seen), state=state, alarm=after):
        request = await seen.next()
        due = await after.next_set()

    assert request.past_due
    assert request.schedule_status["Next"] == "2026-03-01T12:05:00+00:00"
    assert due == at("2026-03-01 13:05:00")
    assert seen.is_empty


async def test_a_restart_between_two_occurrences_runs_nothing() -> None:
    state, seen = KeptInMemory(), Seen()
    before, after = Alarm("2026-03-01 12:01:00"), Alarm("2026-03-01 12:02:00")
    async with triggers_of(app_with_timer(seen), state=state, alarm=before):
        await before.next_set()

    async with triggers_of(app_with_timer(seen), state=state, alarm=after):
        due = await after.next_set()

    assert due == at("2026-03-01 12:05:00")
    assert seen.is_empty


async def test_a_changed_schedule_is_not_past_due() -> None:
    state, seen = KeptInMemory(), Seen()
    before, after = Alarm("2026-03-01 12:01:00"), Alarm("2026-03-01 13:02:00")
    async with triggers_of(app_with_timer(seen), state=state, alarm=before):
        await before.next_set()

    async with triggers_of(app_with_timer(seen, "0 30 * * * *"), state=state, alarm=after):
        due = await after.next_set()

    assert due == at("2026-03-01 13:30:00")
    assert seen.is_empty


@pytest.mark.parametrize(
    ("schedule", "options"), [("*/10 * * * * *", {}), (EVERY_FIVE_MINUTES, {"use_monitor": False})]
)
async def test_a_timer_without_monitoring_does_not_run_missed_occurrences(
    schedule: str, options: dict[str, bool]
) -> None:
    state, seen = KeptInMemory(), Seen()
    before, after = Alarm("2026-03-01 12:01:00"), Alarm("2026-03-01 13:02:00")
    async with triggers_of(app_with_timer(seen, schedule, **options), state=state, alarm=before):
        await before.next_set()

    async with triggers_of(app_with_timer(seen, schedule, **options), state=state, alarm=after):
        due = await after.next_set()
        assert seen.is_empty
        after.move_to(due)
        request = await seen.next()

    assert not request.past_due
    assert request.schedule_status == {}
    assert state.kept == {}


async def test_a_function_that_outlasts_its_schedule_runs_again_once_and_never_beside_itself() -> (
    None
):
    alarm, seen = Alarm("2026-03-01 12:01:00"), Seen()
    go_on = asyncio.Event()
    app = df.DFApp()

    @app.timer_trigger(schedule=EVERY_FIVE_MINUTES, arg_name="timer")
    async def slow(timer: func.TimerRequest) -> None:
        seen.note("begun")
        await go_on.wait()
        seen.note("ended")

    async with triggers_of(app, alarm=alarm):
        await alarm.next_set()
        alarm.move_to(at("2026-03-01 12:05:00"))
        begun = await seen.next()
        alarm.move_to(at("2026-03-01 12:17:00"))
        go_on.set()
        rest = await seen.take(3)
        late, due = await alarm.next_set(), await alarm.next_set()

    assert [begun, *rest] == ["begun", "ended", "begun", "ended"]
    assert (late, due) == (at("2026-03-01 12:10:00"), at("2026-03-01 12:20:00"))


async def test_a_failure_is_logged_with_its_place_and_the_schedule_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    alarm = Alarm()
    app = df.DFApp()

    @app.timer_trigger(schedule=EVERY_FIVE_MINUTES, arg_name="timer")
    async def fails(timer: func.TimerRequest) -> None:
        raise KeyError("nothing there")

    async with triggers_of(app, alarm=alarm):
        alarm.move_to(await alarm.next_set())
        due = await alarm.next_set()

    assert due == at("2026-03-01 12:10:00")
    (text,) = said(caplog)
    assert text.startswith("fails failed on its schedule: KeyError: 'nothing there'")
    assert "test_timers.py" in text


async def test_an_alarm_that_comes_early_does_not_run_one_occurrence_twice() -> None:
    alarm, seen = Alarm("2026-03-01 12:04:59.9"), Seen()
    due = []

    async def wake_early_once(time: datetime) -> None:
        due.append(time)
        if len(due) > 1:
            await alarm.sleep_until(time)

    async with triggers_of(app_with_timer(seen), alarm=alarm, sleep_until=wake_early_once):
        await seen.next()
        await alarm.next_set()

    assert due == [at("2026-03-01 12:05:00"), at("2026-03-01 12:10:00")]


async def test_the_system_clock_is_slept_by_until_it_shows_the_time() -> None:
    clock = SystemClock()
    time = clock.now() + timedelta(milliseconds=20)

    await sleeping_by(clock)(time)

    assert clock.now() >= time


async def test_a_schedule_that_never_comes_can_be_run_by_hand_and_stopped() -> None:
    seen = Seen()
    app = app_with_timer(seen, "0 0 0 31 2 *")

    async with triggers_of(app, alarm=Alarm()) as triggers:
        await triggers.run_now(function_of(index_app(app), "tick"), "")
        request = await seen.next()

    assert not request.past_due


async def test_a_run_by_hand_is_given_the_status_kept_and_leaves_the_schedule_alone() -> None:
    recorded = Path(__file__).parents[2] / "conformance/triggers/seen.jsonl"
    wanted = next(
        note
        for note in map(json.loads, recorded.read_text().splitlines())
        if note["kind"] == "timer"
    )
    seen, alarm = Seen(), Alarm("2026-11-21 03:23:30.405902")
    app = app_with_timer(seen, "0 0 5 1 1 *")

    async with triggers_of(app, alarm=alarm) as triggers:
        due = await alarm.next_set()
        alarm.move_to(at("2026-11-22 00:00:00"))
        await triggers.run_now(function_of(index_app(app), "tick"), "")
        request = await seen.next()

    wanted["status"]["LastUpdated"] = "2026-11-21T03:23:30.405902+00:00"
    assert request.past_due == wanted["past_due"]
    assert request.schedule == wanted["schedule"]
    assert request.schedule_status == wanted["status"]
    assert due == at("2027-01-01 05:00:00")


async def test_a_schedule_may_be_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    alarm = Alarm()
    monkeypatch.setenv("TICK_SCHEDULE", EVERY_FIVE_MINUTES)

    async with triggers_of(
        app_with_timer(Seen(), "%TICK_SCHEDULE%"), {"tick_schedule": "0 0 * * * *"}, alarm=alarm
    ):
        due = await alarm.next_set()

    assert due == at("2026-03-01 13:00:00")


async def test_a_disabled_timer_runs_by_hand_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "durablehost")
    seen = Seen()
    app = app_with_timer(seen, run_on_startup=True)

    async with triggers_of(app, alarm=Alarm(), disabled={"tick"}) as triggers:
        assert seen.is_empty
        await triggers.run_now(function_of(index_app(app), "tick"), "")
        await seen.next()

    assert seen.is_empty
    assert said(caplog) == ["tick is disabled: its trigger does not fire"]


async def test_stopping_gives_a_run_under_way_time_to_end() -> None:
    seen, begun, stopping = Seen(), asyncio.Event(), asyncio.Event()
    app = df.DFApp()

    @app.timer_trigger(schedule=EVERY_FIVE_MINUTES, arg_name="timer", run_on_startup=True)
    async def slow(timer: func.TimerRequest) -> None:
        begun.set()
        await stopping.wait()
        seen.note("ended")

    state = KeptInMemory()
    async with triggers_of(app, state=state, alarm=Alarm()) as triggers:
        await begun.wait()
        async with asyncio.TaskGroup() as group:
            group.create_task(triggers.stop())
            group.create_task(_set(stopping))

    assert await seen.next() == "ended"
    assert json.loads(state.kept["timer:slow"])["Last"] == "2026-03-01T12:00:00+00:00"


async def _set(event: asyncio.Event) -> None:
    event.set()


async def test_a_run_that_does_not_end_does_not_keep_durablehost_from_ending() -> None:
    seen = Seen()
    app = df.DFApp()

    @app.timer_trigger(schedule=EVERY_FIVE_MINUTES, arg_name="timer", run_on_startup=True)
    async def endless(timer: func.TimerRequest) -> None:
        try:
            seen.note("begun")
            await asyncio.Event().wait()
        finally:
            seen.note("cancelled")

    async with triggers_of(app, alarm=Alarm()):
        await seen.next()

    assert await seen.next() == "cancelled"


async def test_a_trigger_of_another_kind_is_said_not_to_fire_and_runs_by_hand(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen = Seen()
    app = df.DFApp()

    @app.event_grid_trigger(arg_name="event")
    async def on_event(event: func.EventGridEvent) -> None:
        seen.note(event.get_json())

    @app.service_bus_queue_trigger(arg_name="message", queue_name="orders", connection="Bus")
    async def on_order(message: func.ServiceBusMessage) -> None:
        seen.note(message.get_body())

    table = index_app(app)
    event = {"id": "1", "topic": "t", "subject": "s", "eventType": "e", "dataVersion": "1"}
    async with triggers_of(app) as triggers:
        warnings = said(caplog)
        text = json.dumps(event | {"eventTime": "2026-03-01T12:00:00Z", "data": {"a": 1}})
        await triggers.run_now(function_of(table, "on_event"), text)
        await triggers.run_now(function_of(table, "on_order"), "an order")
        notes = await seen.take(2)

    assert [line.partition(" here")[0] for line in sorted(warnings)] == [
        "on_event: its trigger (eventGridTrigger) does not fire",
        "on_order: its trigger (serviceBusTrigger) does not fire",
    ]
    assert notes == [{"a": 1}, b"an order"]


async def test_an_event_of_event_hubs_is_run_by_hand_alone_and_as_one_of_many() -> None:
    seen = Seen()
    app = df.DFApp()

    @app.event_hub_message_trigger(arg_name="event", event_hub_name="h", connection="c")
    async def on_event(event: func.EventHubEvent) -> None:
        seen.note(event.get_body())

    @app.event_hub_message_trigger(
        arg_name="events", event_hub_name="h", connection="c", cardinality=func.Cardinality.MANY
    )
    async def on_events(events: typing.List[func.EventHubEvent]) -> None:  # noqa: UP006  # `list[…]` does not load
        seen.note([event.get_body() for event in events])

    table = index_app(app)
    async with triggers_of(app) as triggers:
        await triggers.run_now(function_of(table, "on_event"), '{"a": 1}')
        await triggers.run_now(function_of(table, "on_events"), '[{"a": 1}]')

    assert await seen.take(2) == [b'{"a": 1}', [b'[{"a": 1}]']]


async def test_a_text_of_which_a_trigger_makes_nothing_is_refused_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = df.DFApp()

    @app.event_grid_trigger(arg_name="event")
    async def on_event(event: func.EventGridEvent) -> None:
        raise AssertionError("never given anything")

    async with triggers_of(app) as triggers:
        caplog.clear()
        await triggers.run_now(function_of(index_app(app), "on_event"), "no event")

    assert said(caplog) == [
        "on_event was not run on the input given: 'no event' cannot be read by its trigger "
        "(eventGridTrigger)"
    ]
