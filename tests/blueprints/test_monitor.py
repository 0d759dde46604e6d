"""Monitor: a transfer is polled at growing intervals until it settles or is overdue."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from blueprints.monitor import LONGEST_PAUSE, LOOKS_A_GENERATION, pause_after
from durablehost.app.functions import FunctionTable
from durablehost.testing import ManualHub, every_crash
from orchestration.cancel_rules import CANCEL_EVENT
from tests.faults.judging import completed
from tests.outside import Sandbox

TRANSFER = "transfer-1"
ID = f"settlement:{TRANSFER}"
HERE = f"/api/operations/{ID}"
PENDING = {"status": "pending", "reason": None}


@pytest.fixture
def pending(hub: ManualHub) -> None:
    """A transfer that never settles."""
    hub.replace_activity("look_at_transfer", lambda look: PENDING)


async def send_transfer(sandbox: Sandbox, **settlement: Any) -> None:
    if settlement:
        await sandbox.put("/bank/accounts/vendor:acme", settlement=settlement)
    order = {"giver": "operating", "taker": "vendor:acme", "amount_cents": 500, "payment": "PAY-1"}
    await sandbox.send("POST", "/bank/transfers", order, {"Idempotency-Key": "PAY-1:send"})


async def watch(hub: ManualHub, within_hours: int = 72) -> None:
    body = {"transfer": TRANSFER, "within_hours": within_hours}
    started = await hub.request("POST", "/api/settlements", json=body)
    assert started.status == 202, started.text


def look_seconds(hub: ManualHub) -> list[float]:
    """When each look was, in seconds from the first."""
    times = [call.at for call in hub.calls("look_at_transfer")]
    return [(time - times[0]).total_seconds() for time in times]


async def test_a_transfer_is_watched_until_it_settles(hub: ManualHub, sandbox: Sandbox) -> None:
    await send_transfer(sandbox)
    await watch(hub)

    await hub.run_until_ended(ID)

    assert hub.status(ID) == "Completed"
    assert hub.output(ID) == {
        "transfer": TRANSFER,
        "outcome": "settled",
        "looks": 6,
        "reason": None,
    }


async def test_a_transfer_that_the_bank_rejects_ends_with_its_reason(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await send_transfer(sandbox, after_looks=3, outcome="failed")
    await watch(hub)

    await hub.run_until_ended(ID)

    output = hub.output(ID)
    assert (output["outcome"], output["reason"], output["looks"]) == ("failed", "rejected", 3)


async def test_an_unknown_transfer_fails_with_a_code(hub: ManualHub, sandbox: Sandbox) -> None:
    await watch(hub)

    shown = (await hub.request("GET", HERE)).json()

    assert (shown["runtimeStatus"], shown["output"]["code"]) == ("Failed", "transfer_unknown")


async def test_the_interval_doubles_up_to_its_cap(hub: ManualHub, pending: None) -> None:
    await watch(hub)
    await hub.advance(timedelta(hours=1))

    seconds = look_seconds(hub)
    pauses = [after - before for before, after in zip(seconds, seconds[1:], strict=False)]
    assert pauses[:8] == [2, 4, 8, 16, 32, 64, 128, 256]
    assert set(pauses[8:]) == {300}


async def test_the_status_says_when_the_next_look_is(hub: ManualHub, pending: None) -> None:
    await watch(hub)
    await hub.advance(timedelta(seconds=7))

    next_look = "2026-01-01T00:00:14Z"
    assert hub.custom_status(ID) == {"step": "waiting", "looks": 3, "next_look": next_look}


async def test_a_watch_looks_once_more_at_its_deadline(hub: ManualHub, pending: None) -> None:
    await watch(hub, within_hours=1)

    await hub.run_until_ended(ID)

    assert hub.output(ID)["outcome"] == "overdue"
    assert look_seconds(hub)[-1] == 3600


async def test_the_deadline_is_kept_over_generations(hub: ManualHub, pending: None) -> None:
    await watch(hub, within_hours=12)

    await hub.run_until_ended(ID)

    assert look_seconds(hub)[-1] == 12 * 3600
    assert hub.output(ID)["looks"] == len(look_seconds(hub)) > 5 * LOOKS_A_GENERATION


@pytest.mark.parametrize("fault", ["fail_next", "lose_answer_next"])
async def test_the_watch_continues_after_an_outage_of_the_bank(
    hub: ManualHub, sandbox: Sandbox, fault: str
) -> None:
    await send_transfer(sandbox)
    await sandbox.fault("bank.transfers", method="GET", **{fault: 100})
    await watch(hub)
    await hub.advance(timedelta(minutes=30))
    assert hub.status(ID) == "Running"

    await sandbox.mend()
    await hub.run_until_ended(ID)

    assert hub.output(ID)["outcome"] == "settled"


async def test_a_watch_that_is_overdue_because_of_an_outage_says_so(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("bank", fail_next=1000)
    await watch(hub, within_hours=1)

    await hub.run_until_ended(ID)

    output = hub.output(ID)
    assert (output["outcome"], output["reason"]) == ("overdue", "bank_unavailable")


async def test_the_history_stays_small_however_long_it_takes(hub: ManualHub, pending: None) -> None:
    lengths = []

    def look(_: object) -> dict[str, Any]:
        lengths.append(len(hub.history(ID)))
        return PENDING

    hub.replace_activity("look_at_transfer", look)
    await watch(hub, within_hours=24)
    await hub.run_until_ended(ID)

    assert len(lengths) > 10 * LOOKS_A_GENERATION
    assert max(lengths) < 12 * LOOKS_A_GENERATION


# One watch for each transfer


async def test_concurrent_requests_start_one_watch(hub: ManualHub, pending: None) -> None:
    body = {"transfer": TRANSFER}
    asked = [hub.request("POST", "/api/settlements", json=body) for _ in range(20)]
    answers = await asyncio.gather(*asked)

    assert {answer.status for answer in answers} == {202}
    assert [instance.id for instance in hub.instances()] == [ID]
    assert len(hub.calls("look_at_transfer")) == 1


async def test_repeating_the_request_at_any_time_finds_the_same_watch(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await send_transfer(sandbox, after_looks=3 * LOOKS_A_GENERATION)
    await watch(hub)

    for _ in range(50):
        await watch(hub)
        await hub.advance(LONGEST_PAUSE)
    await hub.run_until_ended(ID)
    again = await hub.request("POST", "/api/settlements", json={"transfer": TRANSFER})

    assert again.status == 200
    assert hub.output(ID)["looks"] == len(hub.calls("look_at_transfer"))


async def test_a_different_time_limit_is_a_conflict_in_every_generation(
    hub: ManualHub, pending: None
) -> None:
    await watch(hub)

    for _ in range(3):
        other = {"transfer": TRANSFER, "within_hours": 1}
        answer = await hub.request("POST", "/api/settlements", json=other)
        assert (answer.status, answer.json()["code"]) == (409, "other_work")
        await hub.advance(LOOKS_A_GENERATION * LONGEST_PAUSE)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "transfer"),
        ({"transfer": "a/b"}, "transfer"),
        ({"transfer": "a", "within_hours": 0}, "within_hours"),
        ({"transfer": "a", "within_hours": 721}, "within_hours"),
        ({"transfer": "a", "every": 5}, "every"),
    ],
)
async def test_an_invalid_body_names_the_field_and_starts_nothing(
    hub: ManualHub, body: dict[str, Any], field: str
) -> None:
    answer = await hub.request("POST", "/api/settlements", json=body)

    assert answer.status == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert hub.instances() == []


# Cancelling


@pytest.mark.parametrize("hours", [0, 1, 30])
async def test_a_cancelled_watch_ends_at_once(hub: ManualHub, pending: None, hours: int) -> None:
    await watch(hub)
    await hub.advance(timedelta(hours=hours, seconds=17))
    looks = len(look_seconds(hub))

    answer = await hub.request("POST", f"{HERE}/cancel?reason=recalled")
    await hub.advance(timedelta(hours=1))

    assert answer.status == 202
    assert hub.status(ID) == "Completed"
    assert (hub.output(ID)["outcome"], hub.output(ID)["reason"]) == ("cancelled", "recalled")
    assert len(look_seconds(hub)) == looks


@pytest.mark.parametrize("look", [1, 2, LOOKS_A_GENERATION, LOOKS_A_GENERATION + 1])
async def test_a_cancel_during_a_look_takes_effect_after_it(hub: ManualHub, look: int) -> None:
    async def pend(_: object) -> dict[str, Any]:
        if len(look_seconds(hub)) == look:
            await hub.raise_event(ID, CANCEL_EVENT, {"reason": "x"}, after=timedelta(0))
        return PENDING

    hub.replace_activity("look_at_transfer", pend)
    await watch(hub)
    await hub.advance(timedelta(hours=10))

    assert hub.output(ID)["outcome"] == "cancelled"
    assert len(look_seconds(hub)) == look


# The last look of the first generation is at 3810 seconds, the first of the second at 4110.
@pytest.mark.parametrize("moment", [0, 1, 2, 6, 3809, 3810, 3811, 4109, 4110, 4111, 4410])
@pytest.mark.parametrize("sent_before", [0, 1], ids=["at once", "a second ahead"])
async def test_a_cancel_takes_effect_whenever_it_arrives(
    hub: ManualHub, pending: None, moment: int, sent_before: int
) -> None:
    ahead = timedelta(seconds=min(sent_before, moment))
    await watch(hub)
    await hub.advance(timedelta(seconds=moment) - ahead)
    await hub.raise_event(ID, CANCEL_EVENT, {}, after=ahead)

    await hub.advance(ahead + LONGEST_PAUSE)

    assert hub.output(ID)["outcome"] == "cancelled"


async def test_a_cancel_that_arrives_with_the_last_timer_reaches_the_next_generation(
    hub: ManualHub, pending: None
) -> None:
    await watch(hub)
    await hub.advance(timedelta(seconds=4109))
    generation = hub.history(ID)[0]["Timestamp"]

    await hub.raise_event(ID, CANCEL_EVENT, {}, after=timedelta(seconds=1))
    await hub.advance(timedelta(seconds=1))

    assert hub.history(ID)[0]["Timestamp"] != generation
    assert hub.output(ID)["looks"] == LOOKS_A_GENERATION + 1


@pytest.mark.parametrize("as_http", [False, True])
@pytest.mark.parametrize("data", [None, {}, "please", [1], {"reason": 5}])
async def test_a_cancel_without_a_readable_reason_takes_effect(
    hub: ManualHub, pending: None, data: Any, as_http: bool
) -> None:
    await watch(hub)

    await hub.raise_event(ID, CANCEL_EVENT, data, as_http=as_http)

    assert (hub.output(ID)["outcome"], hub.output(ID)["reason"]) == ("cancelled", "")


async def test_a_suspended_watch_does_not_look(hub: ManualHub, pending: None) -> None:
    await watch(hub)
    await hub.request("POST", f"{HERE}/suspend")
    await hub.advance(timedelta(hours=1))
    assert len(look_seconds(hub)) == 1

    await hub.request("POST", f"{HERE}/resume")
    await hub.advance(timedelta(seconds=1))

    assert len(look_seconds(hub)) == 2


async def test_a_suspended_watch_can_be_cancelled(hub: ManualHub, pending: None) -> None:
    await watch(hub)
    await hub.request("POST", f"{HERE}/suspend")

    await hub.request("POST", f"{HERE}/cancel")
    await hub.advance(timedelta(seconds=5))

    assert hub.output(ID)["outcome"] == "cancelled"


async def test_a_crash_between_any_two_steps_changes_nothing(
    durable_app: FunctionTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blueprints.monitor.LOOKS_A_GENERATION", 5)
    looks = 7  # the last ones in the second generation
    pauses = sum(map(pause_after, range(1, looks)), timedelta(0))

    async def run(hub: ManualHub) -> None:
        settles = hub.clock.now() + pauses

        def look(_: object) -> dict[str, Any]:
            return PENDING if hub.clock.now() < settles else PENDING | {"status": "settled"}

        hub.replace_activity("look_at_transfer", look)
        await watch(hub)
        await hub.run_until_ended(ID)

    async for hub in every_crash(durable_app, run):
        await hub.run_until_ended(ID)

        assert (hub.output(ID)["outcome"], hub.output(ID)["looks"]) == ("settled", looks)
        assert hub.problems(ID) == []


# What holds whatever goes wrong: `make faults` checks it after each faulty run.


async def invariant_a_transfer_is_settled_only_if_the_bank_says_so(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    for watch in completed(hub, "settlement_watch"):
        if watch.output["outcome"] == "settled":
            transfer = await sandbox.get(f"/bank/transfers/{watch.output['transfer']}")
            assert transfer["status"] == "settled"
