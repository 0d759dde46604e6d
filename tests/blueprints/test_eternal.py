"""Eternal: one sweep of the ledger runs for ever, receives events, and loses none."""

import asyncio
import logging
import random
from datetime import timedelta
from typing import Any

import pytest

from activities import limits
from blueprints.eternal import CHANGES_A_GENERATION, INTERVAL_EVENT
from durablehost.app.functions import FunctionTable
from durablehost.testing import Crashed, ManualHub, every_crash
from orchestration.cancel_rules import CANCEL_EVENT
from tests.outside import Sandbox

ID = "sweep:ledger"
HERE = f"/api/operations/{ID}"
MINUTE = timedelta(minutes=1)
QUIET = {"balanced": True, "in_suspense_cents": 0, "open": []}


@pytest.fixture
def quiet(hub: ManualHub) -> None:
    """A ledger with no payment under way."""
    hub.replace_activity("audit_ledger", lambda order: QUIET)


async def sweep(hub: ManualHub, every_minutes: int = 15) -> None:
    started = await hub.request("POST", "/api/sweeps", json={"every_minutes": every_minutes})
    assert started.status == 202, started.text


async def send(hub: ManualHub, every_minutes: int, **how: Any) -> None:
    """Send another interval, as an operation's caller does."""
    await hub.raise_event(ID, INTERVAL_EVENT, {"every_minutes": every_minutes}, **how)


def minutes(hub: ManualHub) -> list[float]:
    """When each beat was, in minutes from the first."""
    times = [call.at for call in hub.calls("audit_ledger")]
    return [(time - times[0]) / MINUTE for time in times]


async def debit(sandbox: Sandbox, payment: str) -> None:
    order = {"account": "operating", "amount_cents": 500, "payment": payment}
    await sandbox.send("POST", "/bank/debits", order, {"Idempotency-Key": f"{payment}:debit"})


async def mails(sandbox: Sandbox) -> list[str]:
    return [mail["text"] for mail in await sandbox.mails("treasurer@example.com")]


# Beats


async def test_the_ledger_is_swept_at_once_and_then_every_so_many_minutes(
    hub: ManualHub, quiet: None
) -> None:
    await sweep(hub, every_minutes=15)
    await hub.advance(60 * MINUTE)

    assert minutes(hub) == [0, 15, 30, 45, 60]
    assert hub.custom_status(ID) == {
        "step": "waiting",
        "beats": 5,
        "every_minutes": 15,
        "changes": 0,
        "next_beat": "2026-01-01T01:15:00Z",
        "open": 0,
        "failing": None,
    }


async def test_the_interval_is_kept_across_generations(hub: ManualHub, quiet: None) -> None:
    await sweep(hub, every_minutes=1)
    await hub.advance(50 * MINUTE)

    assert minutes(hub) == list(range(51))


async def test_a_payment_that_is_open_at_two_successive_beats_is_reported_once(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await debit(sandbox, "PAY-1")
    await sweep(hub, every_minutes=15)
    assert await mails(sandbox) == []

    await debit(sandbox, "PAY-2")
    await hub.advance(15 * MINUTE)
    assert await mails(sandbox) == ["PAY-1"]

    await hub.advance(200 * MINUTE)
    assert await mails(sandbox) == ["PAY-1", "PAY-2"]
    assert hub.custom_status(ID)["open"] == 2


async def test_a_payment_that_arrives_in_time_is_not_reported(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await debit(sandbox, "PAY-1")
    await sweep(hub)
    order = {"account": "vendor:acme", "amount_cents": 500, "payment": "PAY-1"}
    await sandbox.send("POST", "/bank/credits", order, {"Idempotency-Key": "PAY-1:credit"})
    await hub.advance(60 * MINUTE)

    assert await mails(sandbox) == []
    assert hub.custom_status(ID)["open"] == 0


async def test_a_mail_that_cannot_be_sent_is_sent_at_a_later_beat(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await debit(sandbox, "PAY-1")
    await sandbox.fault("mail", lose_answer_next=100, status=500)
    await sweep(hub)
    await hub.advance(20 * MINUTE)
    assert hub.custom_status(ID)["failing"]["code"] == "mail_unavailable"

    await sandbox.mend()
    await sandbox.reset()
    await debit(sandbox, "PAY-1")
    await hub.advance(60 * MINUTE)

    assert await mails(sandbox) == ["PAY-1"]
    assert hub.custom_status(ID)["failing"] is None


async def test_the_sweep_shows_an_outage_of_the_bank_and_continues(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("bank", fail_next=1000)
    await sweep(hub, every_minutes=1)
    await hub.advance(100 * MINUTE)
    shown = hub.custom_status(ID)
    assert (shown["beats"], shown["failing"]["code"]) == (101, "bank_unavailable")

    await sandbox.mend()
    await hub.advance(MINUTE)

    assert hub.custom_status(ID)["failing"] is None


async def test_the_number_of_open_payments_in_its_state_is_capped(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    for number in range(limits.STUCK_NAMED.most + 1):
        await debit(sandbox, f"PAY-{number}")

    await sweep(hub)

    assert hub.custom_status(ID)["open"] == limits.STUCK_NAMED.most


# Start


async def test_the_timer_starts_the_sweep_once(hub: ManualHub, quiet: None) -> None:
    await hub.fire("ensure_ledger_sweep")
    await hub.fire("ensure_ledger_sweep")
    await hub.advance(15 * MINUTE)
    await hub.fire("ensure_ledger_sweep")

    assert minutes(hub) == [0, 15]


async def test_the_timer_does_not_start_a_sweep_that_somebody_stopped(
    hub: ManualHub, quiet: None
) -> None:
    await sweep(hub)
    await hub.request("POST", f"{HERE}/cancel")

    await hub.fire("ensure_ledger_sweep")

    assert hub.status(ID) == "Completed"


async def test_the_timer_starts_a_sweep_that_failed(hub: ManualHub, quiet: None) -> None:
    await hub.start("ledger_sweep", {"every_minutes": None}, instance_id=ID)
    assert hub.status(ID) == "Failed"

    await hub.fire("ensure_ledger_sweep")

    assert (hub.status(ID), hub.custom_status(ID)["beats"]) == ("Running", 1)


async def test_a_sweep_of_older_code_goes_on_with_what_it_passed_on(
    hub: ManualHub, quiet: None
) -> None:
    """An earlier version did not have all fields of the state."""
    older = {"every_minutes": 15, "so_far": {"beats": 7, "every_minutes": 30, "last_beat": None}}
    await hub.start("ledger_sweep", older, instance_id=ID)

    assert (hub.custom_status(ID)["beats"], hub.custom_status(ID)["every_minutes"]) == (8, 30)


async def test_concurrent_requests_start_one_sweep(hub: ManualHub, quiet: None) -> None:
    bodies = [{"every_minutes": every} for every in range(1, 21)]
    answers = await asyncio.gather(
        *(hub.request("POST", "/api/sweeps", json=body) for body in bodies)
    )

    assert {(answer.status, answer.json()["id"]) for answer in answers} == {(202, ID)}
    assert [instance.id for instance in hub.instances()] == [ID]
    assert minutes(hub) == [0]


async def test_concurrent_requests_after_a_stop_start_one_sweep(
    hub: ManualHub, quiet: None
) -> None:
    await sweep(hub)
    await hub.request("POST", f"{HERE}/cancel")
    assert hub.status(ID) == "Completed"

    asked = [hub.request("POST", "/api/sweeps", json={}) for _ in range(20)]
    answers = await asyncio.gather(*asked)

    assert {answer.status for answer in answers} == {202}
    assert (hub.status(ID), hub.custom_status(ID)["beats"]) == ("Running", 1)
    assert minutes(hub) == [0, 0]


async def test_a_request_leaves_a_running_sweep_alone_in_every_generation(
    hub: ManualHub, quiet: None
) -> None:
    await sweep(hub, every_minutes=5)
    for _ in range(30):
        await sweep(hub, every_minutes=60)
        await hub.advance(5 * MINUTE)

    assert minutes(hub) == [5 * beat for beat in range(30 + 1)]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"every_minutes": 0}, "every_minutes"),
        ({"every_minutes": 1441}, "every_minutes"),
        ({"every_minutes": "5"}, "every_minutes"),
        ({"every_seconds": 5}, "every_seconds"),
    ],
)
async def test_an_invalid_body_names_the_field_and_starts_nothing(
    hub: ManualHub, body: dict[str, Any], field: str
) -> None:
    answer = await hub.request("POST", "/api/sweeps", json=body)

    assert answer.status == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert hub.instances() == []


# A new interval


@pytest.mark.parametrize("as_http", [False, True])
@pytest.mark.parametrize(
    ("every_minutes", "beats"),
    [(30, [0, 30, 60]), (12, [0, 12, 24, 36, 48, 60]), (2, [0, *range(10, 61, 2)])],
    ids=["longer", "shorter", "so short that a beat is overdue"],
)
async def test_a_new_interval_counts_from_the_last_beat(
    hub: ManualHub, quiet: None, every_minutes: int, beats: list[int], as_http: bool
) -> None:
    await sweep(hub, every_minutes=15)
    await hub.advance(10 * MINUTE)

    await send(hub, every_minutes, as_http=as_http)
    await hub.advance(50 * MINUTE)

    assert minutes(hub) == beats


@pytest.mark.parametrize(
    "data", [None, "soon", 5, {}, {"every_minutes": 0}, {"every_minutes": "5"}]
)
async def test_an_invalid_interval_changes_nothing(hub: ManualHub, quiet: None, data: Any) -> None:
    await sweep(hub, every_minutes=15)

    await hub.raise_event(ID, INTERVAL_EVENT, data)
    await hub.advance(30 * MINUTE)

    assert minutes(hub) == [0, 15, 30]
    assert hub.custom_status(ID)["changes"] == 0


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"every_minutes": "5"}, "every_minutes"),
        ({"every_minutes": 0}, "every_minutes"),
        ({"every_minutes": -5}, "every_minutes"),
        ({"every_minutes": 1441}, "every_minutes"),
        ({"every_minutes": 5, "every_seconds": 5}, "every_seconds"),
        ({}, "every_minutes"),
        (5, ""),
    ],
)
async def test_the_sender_of_an_invalid_interval_learns_which_field_is_wrong(
    hub: ManualHub, quiet: None, data: Any, field: str
) -> None:
    await sweep(hub)

    answer = await hub.request("POST", f"{HERE}/events/{INTERVAL_EVENT}", json=data)

    assert (answer.status, answer.json()["code"]) == (422, "invalid_body")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert INTERVAL_EVENT not in [event.get("Name") for event in hub.history(ID)]


async def test_the_log_contains_only_the_beginning_of_an_invalid_event(
    hub: ManualHub, quiet: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await sweep(hub, every_minutes=15)

    await hub.raise_event(ID, INTERVAL_EVENT, "x" * 60_000)
    await hub.advance(15 * MINUTE)

    [line] = [text for text in caplog.messages if "ignored an interval" in text]
    assert len(line) < 200


# Stopping


@pytest.mark.parametrize("after", [0, 7, 15, 16, 600])
async def test_a_stopped_sweep_has_no_more_beats(hub: ManualHub, quiet: None, after: int) -> None:
    await sweep(hub)
    await hub.advance(after * MINUTE)
    beats = len(minutes(hub))

    answer = await hub.request("POST", f"{HERE}/cancel?reason=moving")
    await hub.advance(60 * MINUTE)

    assert answer.status == 202
    assert hub.output(ID) == {"beats": beats, "changes": 0, "reason": "moving"}
    assert len(minutes(hub)) == beats


async def test_a_stop_during_a_beat_takes_effect_after_it(hub: ManualHub) -> None:
    async def audit(_: object) -> dict[str, Any]:
        await hub.raise_event(ID, CANCEL_EVENT, {}, after=timedelta(0))
        return QUIET

    hub.replace_activity("audit_ledger", audit)
    await sweep(hub)

    assert hub.output(ID)["beats"] == 1


async def test_events_during_a_suspension_take_effect_when_it_is_resumed(
    hub: ManualHub, quiet: None
) -> None:
    await sweep(hub)
    await hub.request("POST", f"{HERE}/suspend")
    await send(hub, 5)
    await send(hub, 6)
    await hub.advance(60 * MINUTE)
    assert minutes(hub) == [0]

    await hub.request("POST", f"{HERE}/resume")
    await hub.advance(timedelta(seconds=5))

    assert minutes(hub) == [0, 60]
    assert hub.custom_status(ID)["changes"] == 2


# No event is lost

GENERATIONS = 4
LONG = GENERATIONS * MINUTE


async def beat_for_long(hub: ManualHub) -> None:
    hub.replace_activity("audit_ledger", lambda order: QUIET)
    await sweep(hub, every_minutes=1)
    await hub.advance(LONG)


async def test_a_stop_between_any_two_steps_takes_effect_within_a_beat(
    durable_app: FunctionTable,
) -> None:
    async for hub in every_crash(durable_app, beat_for_long):
        if hub.instances() == []:
            continue  # it stopped before it had begun
        beats = len(minutes(hub))

        await hub.raise_event(ID, CANCEL_EVENT, {"reason": "now"})
        await hub.advance(MINUTE)

        assert hub.output(ID)["reason"] == "now"
        assert hub.output(ID)["beats"] <= beats + 1
        assert hub.problems(ID) == []


async def test_two_events_between_any_two_steps_are_both_received(
    durable_app: FunctionTable,
) -> None:
    async for hub in every_crash(durable_app, beat_for_long):
        if hub.instances() == []:
            continue
        await send(hub, 2)
        await send(hub, 3)
        await hub.advance(LONG)

        assert hub.custom_status(ID)["changes"] == 2
        assert hub.custom_status(ID)["every_minutes"] == 3
        assert hub.problems(ID) == []


async def test_one_event_between_every_two_steps_and_none_is_lost(
    hub: ManualHub, quiet: None
) -> None:
    await sweep(hub, every_minutes=1)
    sent, generations = 0, set()
    for number in range(100):
        # Two to four steps are done, of which receiving the event takes two; the next one is lost,
        # and done again.
        hub.crash_after(3 + number % 3)
        sent += 1
        try:
            await send(hub, every_minutes=1)
        except Crashed:
            hub.crash()
        hub.clock.move_to(hub.clock.now() + timedelta(seconds=7))
        generations |= {event["Timestamp"] for event in hub.history(ID)[:1]}  # none as it turns
    hub.crash_after(1_000_000)
    await hub.advance(10 * MINUTE)

    assert hub.custom_status(ID)["changes"] == sent
    assert len(generations) > GENERATIONS


@pytest.mark.parametrize("each", [1, 3])
@pytest.mark.parametrize("sent_before", [True, False], ids=["before it", "after it"])
async def test_no_event_at_the_moment_of_a_beat_is_lost(
    hub: ManualHub, quiet: None, each: int, sent_before: bool
) -> None:
    await sweep(hub, every_minutes=1)
    for _ in range(30):
        ahead = MINUTE if sent_before else timedelta(0)
        await hub.advance(MINUTE - ahead)
        for _ in range(each):
            await send(hub, 1, after=ahead)
        await hub.advance(ahead)
    await hub.advance(MINUTE)

    assert hub.custom_status(ID)["changes"] == 30 * each


async def test_no_event_during_an_audit_is_lost(hub: ManualHub, quiet: None) -> None:
    hub.slow_activity("audit_ledger", timedelta(seconds=20))
    await sweep(hub, every_minutes=1)
    for _ in range(10):
        for second in (1, 1, 1, 5, 20, 20, 40):
            await send(hub, 1, after=timedelta(seconds=second))
        await hub.advance(MINUTE)
    await hub.advance(MINUTE)

    assert hub.custom_status(ID)["changes"] == 70
    assert hub.problems(ID) == []


@pytest.mark.parametrize("seed", range(5))
async def test_events_at_any_moment_are_all_applied_in_order(
    hub: ManualHub, quiet: None, seed: int
) -> None:
    chance = random.Random(seed)
    hub.slow_activity("audit_ledger", timedelta(seconds=3))
    await sweep(hub, every_minutes=1)
    for number in range(100):
        await send(hub, number + 1, after=timedelta(milliseconds=chance.randrange(300_000)))
        await hub.advance(timedelta(milliseconds=chance.choice([0, 0, 10, 1000, 20_000])))
    await hub.advance(10 * MINUTE)
    await send(hub, 7)
    await hub.advance(20 * MINUTE)

    assert hub.custom_status(ID)["changes"] == 101
    assert hub.custom_status(ID)["every_minutes"] == 7


@pytest.mark.parametrize("second", [0, 1, 59, 60, 61, 119, 120, 121])
async def test_no_event_near_continue_as_new_is_lost(
    hub: ManualHub, quiet: None, second: int
) -> None:
    await sweep(hub, every_minutes=15)
    for number in range(5):
        await send(hub, number + 1, after=timedelta(seconds=second))

    await hub.advance(30 * MINUTE)

    assert hub.custom_status(ID)["changes"] == 5
    assert hub.custom_status(ID)["every_minutes"] == 5


# The history


@pytest.mark.parametrize("at_once", [False, True], ids=["one by one", "at once"])
async def test_a_burst_of_events_is_applied_and_leaves_no_long_history(
    hub: ManualHub, quiet: None, at_once: bool
) -> None:
    await sweep(hub, every_minutes=1440)
    for _ in range(2 * CHANGES_A_GENERATION + 10):
        await send(hub, every_minutes=1440, after=timedelta(0) if at_once else None)
    await hub.advance(2 * MINUTE)

    assert hub.custom_status(ID)["changes"] == 2 * CHANGES_A_GENERATION + 10
    assert len(hub.history(ID)) < 100


async def test_a_steady_stream_of_events_does_not_grow_the_history(
    hub: ManualHub, quiet: None
) -> None:
    await sweep(hub, every_minutes=1440)
    longest = 0
    for _ in range(150):
        await send(hub, every_minutes=1440)
        await hub.advance(timedelta(seconds=1))
        longest = max(longest, len(hub.history(ID)))

    assert hub.custom_status(ID)["changes"] == 150
    assert longest < 600


async def test_the_history_is_as_short_after_a_thousand_beats_as_after_a_hundred(
    hub: ManualHub,
) -> None:
    lengths: list[int] = []

    def audit(_: object) -> dict[str, Any]:
        lengths.append(len(hub.history(ID)))
        return QUIET

    hub.replace_activity("audit_ledger", audit)
    await sweep(hub, every_minutes=1)
    await hub.advance(999 * MINUTE)

    assert hub.custom_status(ID)["beats"] == 1000
    assert max(lengths) == max(lengths[:100]) < 10


@pytest.mark.parametrize(
    ("every_minutes", "generations"), [(1440, 1), (60, 24)], ids=["daily", "hourly"]
)
async def test_a_sweep_continues_as_new_once_a_beat(
    hub: ManualHub, quiet: None, every_minutes: int, generations: int
) -> None:
    await sweep(hub, every_minutes=every_minutes)
    seen = set()
    for _ in range(24 * 4):
        await hub.advance(15 * MINUTE)
        seen.add(hub.history(ID)[0]["Timestamp"])

    assert len(seen) - 1 == generations


# What holds whatever goes wrong: `make faults` checks it after each faulty run.


async def invariant_there_is_one_sweep_at_most(hub: ManualHub) -> None:
    assert len([each for each in hub.instances() if each.name == "ledger_sweep"]) <= 1
