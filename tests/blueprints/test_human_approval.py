"""Human approval: people are asked, reminded, and waited for, until enough agree or it expires."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from activities.messages import PAYABLES
from blueprints.human_approval import ON_ITS_WAY
from blueprints.human_approval_voting import decided_event
from durablehost.app.functions import FunctionTable
from durablehost.testing import ManualHub, every_crash
from orchestration.failures import Failure
from tests.approving import (
    ASK,
    CFO,
    CONTROLLER,
    DIRECTOR,
    HERE,
    ID,
    LARGE,
    LEAD,
    PAYMENT,
    REQUESTER,
    ask,
    decide,
    decided,
    link,
)
from tests.faults.judging import completed
from tests.outside import Sandbox

EXPIRES = "2026-01-31T00:00:00Z"
LEAD_DECIDED = decided_event("lead", EXPIRES)
A_VOTE = {"decision": "approve", "comment": "fine", "at": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(("decision", "outcome"), [("approve", "approved"), ("reject", "rejected")])
async def test_one_decision_settles_a_usual_payment(
    hub: ManualHub, sandbox: Sandbox, decision: str, outcome: str
) -> None:
    await ask(hub)
    await hub.advance(timedelta(hours=2))

    await decide(hub, await link(sandbox, LEAD), decision, "seen the offer")

    made = {"role": "lead", "decision": decision, "comment": "seen the offer"}
    assert hub.status(ID) == "Completed"
    assert hub.output(ID) == {
        "vendor": "acme",
        "number": "INV-1",
        "amount_cents": 250_000,
        "outcome": outcome,
        "decisions": [made | {"at": "2026-01-01T02:00:00Z"}],
    }


async def test_the_mails_name_the_payment_and_the_result(hub: ManualHub, sandbox: Sandbox) -> None:
    await ask(hub)
    await decide(hub, await link(sandbox, LEAD), "reject", "too dear")

    [asked], [told] = await sandbox.mails(LEAD), await sandbox.mails(REQUESTER)
    assert (
        "ada@example.com asks to pay 2500.00 EUR for invoice INV-1 of acme: a new lathe."
        in asked["text"]
    )
    assert told["subject"] == "the payment of invoice INV-1 of acme is rejected"
    assert told["text"] == "lead: reject. too dear"


async def test_a_repeated_request_makes_one_approval_and_one_mail(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub)
    again = await hub.request("POST", "/api/approvals", json=PAYMENT)
    other = await hub.request("POST", "/api/approvals", json=PAYMENT | {"amount_cents": 1})

    assert (again.status, again.json()["id"]) == (202, ID)
    assert (other.status, other.json()["code"]) == (409, "other_work")
    assert len(await sandbox.mails(LEAD)) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount_cents": 0}, "amount_cents"),
        ({"number": "INV:1"}, "number"),
        ({"requested_by": "ada"}, "requested_by"),
        ({"requested_by": "ada@example.com\nBcc: x@y"}, "requested_by"),
        ({"purpose": "x" * 501}, "purpose"),
        ({"approver": "me@example.com"}, "approver"),
    ],
)
async def test_an_invalid_body_names_the_field_and_asks_nobody(
    hub: ManualHub, sandbox: Sandbox, changes: dict[str, Any], field: str
) -> None:
    answer = await hub.request("POST", "/api/approvals", json=PAYMENT | changes)

    assert answer.status == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert hub.instances() == []


# Large sums


@pytest.mark.parametrize(
    ("decisions", "outcome"),
    [
        ("approve approve", "approved"),
        ("approve reject approve", "approved"),
        ("reject approve reject", "rejected"),
        ("reject reject", "rejected"),
        ("approve reject", None),
    ],
)
async def test_two_of_three_settle_a_large_payment(
    hub: ManualHub, sandbox: Sandbox, decisions: str, outcome: str | None
) -> None:
    await ask(hub, **LARGE)

    for person, decision in zip((DIRECTOR, LEAD, CONTROLLER), decisions.split(), strict=False):
        await decide(hub, await link(sandbox, person), decision)

    assert (hub.output(ID) or {}).get("outcome") == outcome


async def test_an_amount_equal_to_the_limit_needs_one_approval(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub, amount_cents=1_000_000)

    assert hub.custom_status(ID)["of"] == 1


# Time


async def test_people_who_have_not_decided_are_reminded_every_day(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub, **LARGE)
    await decide(hub, await link(sandbox, LEAD))
    await hub.advance(timedelta(hours=71))

    subjects = [mail["subject"] for mail in await sandbox.mails(DIRECTOR)]
    assert subjects == [ASK] + [f"Reminder: {ASK}"] * 2
    assert len(await sandbox.mails(LEAD)) == 1


async def test_reminders_become_rare_and_the_history_stays_short(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPROVAL_REMIND_HOURS", "1")
    monkeypatch.setenv("APPROVAL_ESCALATE_HOURS", "8760")
    monkeypatch.setenv("APPROVAL_EXPIRE_HOURS", "8760")
    began = hub.clock.now()
    await ask(hub, **LARGE)
    await hub.advance(timedelta(days=364))

    mails = await sandbox.mails(DIRECTOR)
    hours = [(datetime.fromisoformat(mail["time"]) - began) / timedelta(hours=1) for mail in mails]
    assert hours[:12] == [0, 1, 2, 3, 4, 5, 6, 7, 9, 13, 21, 37]
    assert len(mails) <= 20
    assert len(hub.history(ID)) < 1000


async def test_after_three_days_a_second_role_is_asked_as_well(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub)
    await hub.advance(timedelta(hours=72) - timedelta(seconds=1))
    assert await sandbox.mails(CFO) == []

    await hub.advance(timedelta(seconds=1))
    assert hub.custom_status(ID)["step"] == "escalated"
    [mail] = await sandbox.mails(CFO)
    assert mail["subject"] == ASK

    await decide(hub, await link(sandbox, CFO))
    assert hub.output(ID)["decisions"][0]["role"] == "cfo"


async def test_the_second_role_is_not_asked_about_a_payment_of_its_own(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub, requested_by=CFO)

    await hub.advance(timedelta(days=20))

    assert hub.custom_status(ID)["step"] == "waiting"
    assert await sandbox.mails(CFO) == []


async def test_the_first_to_be_asked_may_decide_after_the_escalation(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub)
    first = await link(sandbox, LEAD)
    await hub.advance(timedelta(days=10))

    await decide(hub, first)

    assert hub.output(ID)["outcome"] == "approved"


async def test_an_approval_expires_after_thirty_days_to_the_second(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub)
    await hub.advance(timedelta(days=30) + ON_ITS_WAY - timedelta(seconds=1))
    assert hub.status(ID) == "Running"

    await hub.advance(timedelta(seconds=1))

    assert hub.status(ID) == "Completed"
    assert (hub.output(ID)["outcome"], hub.output(ID)["decisions"]) == ("expired", [])
    [told] = await sandbox.mails(REQUESTER)
    assert told["subject"] == "the payment of invoice INV-1 of acme is expired"


async def test_a_decision_on_the_last_day_ends_it_at_once(hub: ManualHub, sandbox: Sandbox) -> None:
    await ask(hub)
    await hub.advance(timedelta(days=30) - timedelta(seconds=1))

    await decide(hub, await link(sandbox, LEAD))

    assert hub.output(ID)["outcome"] == "approved"


async def test_settings_give_the_times_and_the_limit(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPROVAL_TWO_OF_THREE_CENTS", "100")
    monkeypatch.setenv("APPROVAL_REMIND_HOURS", "5")
    monkeypatch.setenv("APPROVAL_ESCALATE_HOURS", "12")
    monkeypatch.setenv("APPROVAL_EXPIRE_HOURS", "24")
    await ask(hub)

    await hub.run_until_ended(ID)

    times = [mail["time"][:16] for mail in await sandbox.mails(DIRECTOR)]
    [escalated, *_] = await sandbox.mails(CFO)
    assert times == [f"2026-01-01T{hour}:00" for hour in ("00", "05", "10", "15", "20")]
    assert escalated["time"][:16] == "2026-01-01T12:00"
    assert hub.custom_status(ID)["of"] == 2
    assert hub.output(ID)["outcome"] == "expired"


async def test_a_suspended_approval_sends_nothing_and_goes_on_where_it_was(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub)
    await hub.request("POST", f"{HERE}/suspend?reason=audit")
    await hub.advance(timedelta(days=5))
    assert len(await sandbox.mails(LEAD)) == 1

    await hub.request("POST", f"{HERE}/resume")
    await hub.advance(timedelta(minutes=1))
    assert len(await sandbox.mails(CFO)) == 1

    await decide(hub, await link(sandbox, LEAD))
    assert hub.output(ID)["outcome"] == "approved"


# Votes as they reach the orchestrator


@pytest.mark.parametrize("as_http", [False, True])
async def test_a_vote_counts_in_either_form_of_an_event(
    hub: ManualHub, sandbox: Sandbox, as_http: bool
) -> None:
    await ask(hub)

    await hub.raise_event(ID, LEAD_DECIDED, A_VOTE, as_http=as_http)

    assert hub.output(ID)["outcome"] == "approved"


@pytest.mark.parametrize("as_http", [False, True])
@pytest.mark.parametrize(
    "vote",
    [
        None,
        "approve",
        [],
        A_VOTE | {"decision": "maybe"},
        A_VOTE | {"comment": 1},
        A_VOTE | {"at": "today"},
        {"comment": "fine"},
    ],
)
async def test_a_malformed_vote_changes_nothing(
    hub: ManualHub, sandbox: Sandbox, vote: Any, as_http: bool
) -> None:
    await ask(hub)

    await hub.raise_event(ID, LEAD_DECIDED, vote, as_http=as_http)
    assert (hub.status(ID), decided(hub)) == ("Running", {})

    await decide(hub, await link(sandbox, LEAD))
    assert hub.output(ID)["outcome"] == "approved"


@pytest.mark.parametrize("role", ["lead", "cfo"])
async def test_a_malformed_vote_that_arrives_before_it_is_waited_for_changes_nothing(
    hub: ManualHub, sandbox: Sandbox, role: str
) -> None:
    hub.slow_activity("set_approval_terms", timedelta(hours=1))
    await ask(hub)
    await hub.raise_event(ID, decided_event(role, "2026-01-31T01:00:00Z"), "approve")
    await hub.advance(timedelta(days=8))  # after the escalation to the cfo
    assert (hub.status(ID), decided(hub)) == ("Running", {})

    await decide(hub, await link(sandbox, LEAD))

    assert hub.output(ID)["outcome"] == "approved"
    assert len(hub.history(ID)) < 100


@pytest.mark.parametrize(("role", "expires"), [("cfo", EXPIRES), ("lead", "2026-01-30T00:00:00Z")])
async def test_a_vote_of_somebody_else_or_for_another_run_changes_nothing(
    hub: ManualHub, sandbox: Sandbox, role: str, expires: str
) -> None:
    await ask(hub)

    await hub.raise_event(ID, decided_event(role, expires), A_VOTE)

    assert (hub.status(ID), decided(hub)) == ("Running", {})


async def test_a_role_that_votes_twice_at_once_has_one_vote(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub, **LARGE)

    for decision in ("reject", "approve", "reject"):
        await hub.raise_event(ID, LEAD_DECIDED, A_VOTE | {"decision": decision})

    assert (hub.status(ID), decided(hub)) == ("Running", {"lead": "reject"})


async def test_a_role_that_votes_twice_while_reminders_are_sent_has_one_vote(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub, **LARGE)
    for _ in range(2):
        await hub.raise_event(ID, LEAD_DECIDED, A_VOTE, after=timedelta(hours=24))

    await hub.advance(timedelta(hours=24))

    assert (hub.status(ID), decided(hub)) == ("Running", {"lead": "approve"})


async def test_a_vote_that_comes_before_a_late_timer_but_after_the_deadline_is_late(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub)
    await hub.suspend(ID)
    await hub.advance(timedelta(days=31))

    await hub.raise_event(ID, LEAD_DECIDED, A_VOTE | {"at": EXPIRES})
    await hub.resume(ID)
    await hub.advance(timedelta(minutes=1))

    assert hub.output(ID)["outcome"] == "expired"


async def test_a_vote_that_was_accepted_in_time_counts_although_it_arrives_after_the_deadline(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub)
    mine = await link(sandbox, LEAD)

    # The route accepts the vote, and somebody suspends the approval before it receives the vote.
    accepted, suspended = await asyncio.gather(
        decide(hub, mine), hub.request("POST", f"{HERE}/suspend")
    )
    await hub.advance(timedelta(days=31))
    assert (accepted.status, suspended.status, hub.status(ID)) == (202, 202, "Suspended")
    await hub.request("POST", f"{HERE}/resume")
    await hub.advance(timedelta(minutes=1))

    assert hub.output(ID)["outcome"] == "approved"


async def test_a_vote_that_was_accepted_just_before_the_deadline_counts_if_it_arrives_after_it(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub)
    in_time = A_VOTE | {"at": "2026-01-30T23:59:59Z"}
    await hub.raise_event(ID, LEAD_DECIDED, in_time, after=timedelta(days=30, seconds=2))

    await hub.run_until_ended(ID)

    assert hub.output(ID)["outcome"] == "approved"


async def test_an_outage_of_the_mail_delays_the_first_mails(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    hub.slow_activity("request_approval", timedelta(hours=4))
    await sandbox.fault("mail", fail_next=100_000)
    await ask(hub, **LARGE)
    await hub.advance(timedelta(hours=19))
    await sandbox.mend()

    await hub.advance(timedelta(hours=2))

    for person in (LEAD, CONTROLLER, DIRECTOR):
        assert len(await sandbox.mails(person)) == 1
    assert hub.custom_status(ID)["step"] == "waiting"


async def test_mail_that_is_down_for_longer_than_twenty_hours_fails_the_approval(
    hub: ManualHub, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    hub.slow_activity("request_approval", timedelta(hours=4))
    await sandbox.fault("mail", fail_next=100_000)
    await ask(hub, **LARGE)

    await hub.run_until_ended(ID)

    shown = (await hub.request("GET", HERE)).json()
    times = {call.at for call in hub.calls("request_approval")}
    assert (shown["runtimeStatus"], shown["output"]["code"]) == ("Failed", "mail_unavailable")
    assert timedelta(hours=16) < max(times) - min(times) <= timedelta(hours=20)
    assert f"{ID}: nobody was informed of the failure: [mail_unavailable" in caplog.text


async def test_an_approval_that_expires_while_mail_is_down_ends_then(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPROVAL_EXPIRE_HOURS", "3")
    await sandbox.fault("mail", about=DIRECTOR, fail_next=100_000)
    await ask(hub, **LARGE)

    await hub.advance(timedelta(hours=3) + ON_ITS_WAY)

    assert hub.output(ID)["outcome"] == "expired"


@pytest.mark.parametrize(
    ("changes", "refused", "status"),
    [
        ({}, ["lead"], "Failed"),
        (LARGE, ["director"], "Running"),
        (LARGE, ["controller", "director"], "Failed"),
    ],
)
async def test_refused_addresses_fail_an_approval_if_too_few_people_are_left(
    hub: ManualHub,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    refused: list[str],
    status: str,
) -> None:
    for role in refused:
        monkeypatch.setenv(f"APPROVER_{role.upper()}", f"{role} has no address")

    await ask(hub, **changes)
    await hub.advance(timedelta(minutes=1))

    shown = (await hub.request("GET", HERE)).json()
    code = shown["output"]["code"] if shown["output"] else None
    expected = "bad_request" if status == "Failed" else None
    assert (shown["runtimeStatus"], code) == (status, expected)
    assert len(await sandbox.mails(PAYABLES)) == (status == "Failed")


async def test_no_vote_is_accepted_while_the_failure_of_the_approval_is_mailed(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPROVER_CONTROLLER", "nobody")
    monkeypatch.setenv("APPROVER_DIRECTOR", "nobody")
    hub.slow_activity("send_message", timedelta(minutes=1))
    await ask(hub, **LARGE)

    late = await decide(hub, await link(sandbox, LEAD))
    await hub.raise_event(ID, LEAD_DECIDED, A_VOTE)  # one that the route accepted just before

    assert hub.status(ID) == "Running"  # the mail about the failure is being sent
    assert (late.status, late.json()["code"]) == (410, "approval_ended")
    await hub.run_until_ended(ID)
    assert decided(hub) == {"lead": "approve"}


async def test_a_vote_that_was_accepted_just_before_its_approval_fails_decides(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("mail", method="POST", lose_answer_next=1)
    await ask(hub)  # the mail arrived, and its answer was lost
    hub.fail_activity("request_approval", Failure("bad_request", "the address is unknown"))
    await hub.raise_event(ID, LEAD_DECIDED, A_VOTE, after=timedelta(seconds=5))

    await hub.advance(timedelta(seconds=4))
    assert hub.custom_status(ID)["step"] == "failed"
    await hub.run_until_ended(ID)

    assert hub.output(ID)["outcome"] == "approved"


async def test_two_of_three_decide_although_the_third_has_no_address(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPROVER_DIRECTOR", "nobody")
    await ask(hub, **LARGE)

    for person in (LEAD, CONTROLLER):
        await decide(hub, await link(sandbox, person))

    assert hub.output(ID)["outcome"] == "approved"


# Decisions while mails are sent


async def test_enough_votes_decide_at_once_while_another_mail_is_retried(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("mail", about=DIRECTOR, fail_next=100_000)
    await ask(hub, **LARGE)
    await hub.advance(timedelta(minutes=2))
    before = hub.clock.now()

    answers = [await decide(hub, await link(sandbox, person)) for person in (LEAD, CONTROLLER)]

    assert [answer.status for answer in answers] == [202, 202]
    assert (hub.status(ID), hub.output(ID)["outcome"]) == ("Completed", "approved")
    assert hub.clock.now() == before


async def test_the_first_vote_of_a_role_counts_while_another_mail_is_retried(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("mail", about=DIRECTOR, fail_next=3)
    await ask(hub, **LARGE)
    mine = await link(sandbox, LEAD)

    first, second = await decide(hub, mine, "approve"), await decide(hub, mine, "reject")
    await hub.advance(timedelta(minutes=30))

    assert (first.status, second.status) == (202, 409)
    assert (hub.custom_status(ID)["step"], decided(hub)) == ("waiting", {"lead": "approve"})


async def test_of_two_votes_of_a_role_that_arrive_during_a_mail_the_first_counts(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    async def vote_twice(_: object) -> str:
        for decision in ("approve", "reject"):
            await hub.raise_event(ID, LEAD_DECIDED, A_VOTE | {"decision": decision})
        return "message-1"

    hub.replace_activity("request_approval", vote_twice)

    await ask(hub, **LARGE)

    assert decided(hub) == {"lead": "approve"}


async def test_a_vote_ends_the_retries_of_a_mail_whose_answers_are_lost(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("mail", method="POST", lose_answer_next=3)
    await ask(hub)

    await decide(hub, await link(sandbox, LEAD))
    await hub.advance(timedelta(minutes=1))

    assert hub.output(ID)["outcome"] == "approved"
    assert len(await sandbox.mails(LEAD)) == 1


async def test_people_who_have_voted_count_as_reached(hub: ManualHub, sandbox: Sandbox) -> None:
    await sandbox.fault("mail", about=DIRECTOR, fail_next=100_000)
    await sandbox.fault("mail", about=LEAD, method="POST", lose_answer_next=100_000)
    hub.slow_activity("request_approval", timedelta(hours=6))
    await ask(hub, **LARGE)
    await hub.advance(timedelta(hours=6))
    await decide(hub, await link(sandbox, LEAD))

    await hub.advance(timedelta(hours=30))

    assert (hub.status(ID), decided(hub)) == ("Running", {"lead": "approve"})


async def test_a_vote_that_arrives_while_the_result_is_mailed_is_in_the_outcome(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub, **LARGE)
    late = await link(sandbox, DIRECTOR)
    answers = []

    async def vote_meanwhile(_: object) -> str:
        await hub.raise_event(ID, decided_event("director", EXPIRES), A_VOTE)
        answers.append(await decide(hub, late))
        return "message-1"

    hub.replace_activity("send_message", vote_meanwhile)
    for person in (LEAD, CONTROLLER):
        await decide(hub, await link(sandbox, person), "reject")

    roles = [decision["role"] for decision in hub.output(ID)["decisions"]]
    assert (hub.output(ID)["outcome"], roles) == ("rejected", ["lead", "controller", "director"])
    assert (answers[0].status, answers[0].json()["code"]) == (410, "approval_ended")


@pytest.mark.parametrize("vote", [None, {"decision": "maybe", "comment": ""}])
async def test_a_malformed_vote_during_a_mail_does_not_stop_the_approval(
    hub: ManualHub, sandbox: Sandbox, vote: Any
) -> None:
    async def vote_meanwhile(_: object) -> str:
        await hub.raise_event(ID, LEAD_DECIDED, vote)
        return "message-1"

    hub.replace_activity("request_approval", vote_meanwhile)
    await ask(hub)

    await hub.raise_event(ID, LEAD_DECIDED, A_VOTE)

    assert hub.output(ID)["outcome"] == "approved"


# Mail that fails


async def test_a_mail_whose_answer_was_lost_is_sent_once(hub: ManualHub, sandbox: Sandbox) -> None:
    await sandbox.fault("mail", method="POST", lose_answer_next=2)

    await ask(hub)
    await hub.advance(timedelta(minutes=5))

    assert len(await sandbox.mails(LEAD)) == 1


async def test_a_reminder_that_fails_does_not_end_the_approval(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub)
    first = await link(sandbox, LEAD)
    await sandbox.fault("mail", method="POST", fail_next=1000)
    await hub.advance(timedelta(days=2))

    await decide(hub, first)
    await hub.run_until_ended(ID)

    assert hub.output(ID)["outcome"] == "approved"
    assert await sandbox.mails(REQUESTER) == []


async def test_an_invalid_setting_fails_the_approval_with_a_code_and_a_retry_asks(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPROVAL_REMIND_HOURS", "daily")
    await ask(hub)
    failed = await hub.request("GET", HERE)
    assert failed.json()["output"]["code"] == "not_configured"

    monkeypatch.delenv("APPROVAL_REMIND_HOURS")
    await hub.request("POST", f"{HERE}/retry")

    assert len(await sandbox.mails(LEAD)) == 1


async def test_without_a_key_nothing_is_started(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DECISION_KEY", "31-characters-at-most")

    answer = await hub.request("POST", "/api/approvals", json=PAYMENT)

    assert (answer.status, answer.json()["code"]) == (503, "not_configured")
    assert hub.instances() == []


async def test_a_crash_between_any_two_steps_asks_once_and_counts_once(
    durable_app: FunctionTable, sandbox: Sandbox
) -> None:
    async def run(hub: ManualHub) -> None:
        await ask(hub)
        await decide(hub, await link(sandbox, LEAD))

    async for hub in every_crash(durable_app, run):
        await hub.run_until_idle()
        if not hub.instance(ID).ended:
            await decide(hub, await link(sandbox, LEAD))

        assert hub.output(ID)["outcome"] == "approved"
        assert hub.problems(ID) == []
        assert len(await sandbox.mails(LEAD)) == len(await sandbox.mails(REQUESTER)) == 1
        await sandbox.reset()


async def test_a_crash_between_any_two_steps_keeps_votes_that_arrive_while_mails_are_retried(
    durable_app: FunctionTable, sandbox: Sandbox
) -> None:
    async def run(hub: ManualHub) -> None:
        await sandbox.reset()
        await sandbox.fault("mail", about=DIRECTOR, fail_next=100_000)
        await ask(hub, **LARGE)
        for person in (LEAD, CONTROLLER):
            await decide(hub, await link(sandbox, person))

    async for hub in every_crash(durable_app, run):
        await hub.run_until_idle()
        for person in (LEAD, CONTROLLER):
            if not hub.instance(ID).ended:
                await decide(hub, await link(sandbox, person))

        assert hub.output(ID)["outcome"] == "approved"
        assert hub.problems(ID) == []


async def test_a_crash_between_any_two_steps_reminds_each_time_once(
    durable_app: FunctionTable, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPROVAL_EXPIRE_HOURS", "100")

    async def run(hub: ManualHub) -> None:
        await ask(hub)
        await hub.run_until_ended(ID)

    async for hub in every_crash(durable_app, run):
        await hub.run_until_ended(ID)

        assert hub.output(ID)["outcome"] == "expired"
        assert hub.problems(ID) == []
        times = {mail: len(await sandbox.mails(mail)) for mail in (LEAD, CFO, REQUESTER)}
        assert times == {LEAD: 5, CFO: 2, REQUESTER: 1}
        await sandbox.reset()


# What holds whatever goes wrong: `make faults` checks it after each faulty run.


async def invariant_a_decision_is_final(hub: ManualHub) -> None:
    for approval in completed(hub, "payment_approval"):
        outcome, decisions = approval.output["outcome"], approval.output["decisions"]
        roles = [each["role"] for each in decisions]
        assert len(roles) == len(set(roles))
        if outcome == "approved":
            assert any(each["decision"] == "approve" for each in decisions)
        if outcome == "rejected":
            assert any(each["decision"] == "reject" for each in decisions)
