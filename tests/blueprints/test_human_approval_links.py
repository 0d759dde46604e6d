"""A link lets one person decide once, in time; all else gets a clear answer and changes nothing."""

import asyncio
import json
import re
from datetime import timedelta
from typing import Any

import pytest

from durablehost.testing import ManualHub
from orchestration.failures import Failure
from tests.approving import (
    CONTROLLER,
    DIRECTOR,
    HERE,
    ID,
    LARGE,
    LEAD,
    PAYMENT,
    ask,
    decide,
    decided,
    link,
)
from tests.outside import Sandbox

FORGED = "lead.2026-01-31T00:00:00Z.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def code(answer: Any) -> tuple[int, str]:
    """What a refusal says to programs, once it is sure that people are told as well."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert len(answer.json()["detail"]) > 20
    return answer.status, answer.json()["code"]


async def test_an_accepted_decision_returns_the_links_of_the_operation(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub)

    answer = await decide(hub, await link(sandbox, LEAD))

    assert answer.status == 202
    assert answer.headers["Location"].endswith(HERE)


async def test_opening_a_link_shows_what_is_asked_and_decides_nothing(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub)

    shown = await hub.request("GET", await link(sandbox, LEAD))

    until = "2026-01-31T00:00:00Z"
    assert shown.status == 200
    assert shown.json() == {"role": "lead", "until": until, "payment": PAYMENT}
    assert decided(hub) == {}


async def test_opening_a_link_in_a_browser_shows_buttons_and_decides_nothing(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub)
    mine = await link(sandbox, LEAD)

    shown = await hub.request("GET", mine, headers={"Accept": "text/html,*/*;q=0.8"})

    assert (shown.status, shown.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert re.findall(r'<button value="(\w+)"', shown.text) == ["approve", "reject"]
    assert "<td>INV-1" in shown.text
    assert mine.rpartition(".")[2] not in shown.text
    assert decided(hub) == {}


async def test_a_decision_is_accepted_while_the_mails_to_others_are_still_being_sent(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    down = Failure("mail_unavailable", "the mail is down", retriable=True)
    hub.fail_activity("request_approval", down, on_call=2)
    await ask(hub, **LARGE)

    taken = await decide(hub, await link(sandbox, LEAD))
    await hub.advance(timedelta(minutes=1))

    assert taken.status == 202
    assert (hub.custom_status(ID)["step"], decided(hub)) == ("waiting", {"lead": "approve"})


async def test_a_second_decision_of_a_role_is_refused(hub: ManualHub, sandbox: Sandbox) -> None:
    await ask(hub, **LARGE)
    mine = await link(sandbox, LEAD)
    await decide(hub, mine, "reject")

    again = await decide(hub, mine, "approve")

    assert code(again) == (409, "already_decided")
    assert decided(hub) == {"lead": "reject"}


async def test_the_link_of_a_reminder_does_not_work_once_the_first_did(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub, **LARGE)
    first = await link(sandbox, LEAD)
    await hub.advance(timedelta(days=2))
    await decide(hub, first, "reject")

    again = await decide(hub, await link(sandbox, LEAD), "approve")

    assert code(again) == (409, "already_decided")


async def test_of_two_concurrent_decisions_one_counts(hub: ManualHub, sandbox: Sandbox) -> None:
    await ask(hub, **LARGE)
    mine = await link(sandbox, LEAD)

    answers = await asyncio.gather(*(decide(hub, mine, choice) for choice in ("approve", "reject")))

    assert {answer.status for answer in answers} <= {202, 409}
    assert len(decided(hub)) == 1
    assert hub.status(ID) == "Running"


@pytest.mark.parametrize("days", [0, 31])
async def test_a_decision_on_an_approval_that_has_ended_is_too_late(
    hub: ManualHub, sandbox: Sandbox, days: int
) -> None:
    await ask(hub, **LARGE)
    late = await link(sandbox, LEAD)
    await decide(hub, await link(sandbox, CONTROLLER), "reject")
    await decide(hub, await link(sandbox, DIRECTOR), "reject")
    await hub.advance(timedelta(days=days))
    before = hub.output(ID)

    answer = await decide(hub, late)

    assert code(answer) == (410, "token_expired" if days else "approval_ended")
    assert hub.output(ID) == before


async def test_a_link_expires_even_if_its_approval_is_suspended(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub)
    mine = await link(sandbox, LEAD)
    await hub.suspend(ID)
    await hub.advance(timedelta(days=30))

    assert code(await decide(hub, mine)) == (410, "token_expired")


async def test_a_cancelled_approval_takes_no_decision(hub: ManualHub, sandbox: Sandbox) -> None:
    await ask(hub)
    mine = await link(sandbox, LEAD)
    await hub.request("POST", f"{HERE}/cancel?reason=paid%20in%20cash")

    assert code(await decide(hub, mine)) == (410, "approval_ended")


async def test_the_link_of_another_approval_is_refused(hub: ManualHub, sandbox: Sandbox) -> None:
    await ask(hub)
    await ask(hub, number="INV-2")
    other = await link(sandbox, LEAD)

    answer = await decide(hub, other.replace("INV-2", "INV-1"))

    assert code(answer) == (403, "token_invalid")
    assert decided(hub) == {}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("token=lead", "token=director"),
        ("token=lead", "token=LEAD"),
        ("2026-01-31", "2027-01-31"),
        ("token=", "token=x"),
        ("token=lead.", "token=lead"),
        (".", ""),
        ("-", "\N{LATIN SMALL LETTER E WITH ACUTE}"),
    ],
)
async def test_a_link_that_was_changed_is_refused(
    hub: ManualHub, sandbox: Sandbox, old: str, new: str
) -> None:
    await ask(hub, **LARGE)
    path, _, query = (await link(sandbox, LEAD)).partition("?")

    answer = await decide(hub, f"{path}?{query.replace(old, new)}")

    assert code(answer) == (403, "token_invalid")
    assert decided(hub) == {}


async def test_a_token_of_another_key_is_refused(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask(hub)
    mine = await link(sandbox, LEAD)
    monkeypatch.setenv("DECISION_KEY", "another-key-that-is-also-long-enough")

    assert code(await decide(hub, mine)) == (403, "token_invalid")


@pytest.mark.parametrize("instance_id", ["approval:acme:INV-9", "intake:acme:1", "x", "@counter@x"])
async def test_a_forged_token_does_not_reveal_which_approvals_exist(
    hub: ManualHub, sandbox: Sandbox, instance_id: str
) -> None:
    await ask(hub)

    guesses = [
        await decide(hub, f"/api/approvals/{guessed}/decisions?token={FORGED}")
        for guessed in (instance_id, ID)
    ]

    assert [code(guess) for guess in guesses] == [(403, "token_invalid")] * 2


@pytest.mark.parametrize("query", ["", "?token=", "?tokn=x", f"?token={'x' * 301}"])
async def test_a_link_without_its_token_is_refused(
    hub: ManualHub, sandbox: Sandbox, query: str
) -> None:
    await ask(hub)

    answer = await decide(hub, f"/api/approvals/{ID}/decisions{query}")

    assert answer.status in (403, 422)
    assert decided(hub) == {}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"approve", 400),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"decision": "Approve"}', 422),
        (b'{"decision": true}', 422),
        (b'{"decision": "approve", "role": "cfo"}', 422),
        (b'{"decision": "approve", "comment": null}', 422),
        (json.dumps({"decision": "approve", "comment": "x" * 2001}).encode(), 422),
        (b'{"decision": "approve", "comment": "' + b"x" * 70_000 + b'"}', 413),
    ],
)
async def test_a_decision_in_the_wrong_form_says_so_and_may_be_sent_again(
    hub: ManualHub, sandbox: Sandbox, body: bytes, status: int
) -> None:
    await ask(hub)
    mine = await link(sandbox, LEAD)

    answer = await hub.request("POST", mine, data=body)
    assert code(answer)[0] == status
    assert decided(hub) == {}

    assert (await decide(hub, mine)).status == 202


async def test_a_suspended_approval_takes_no_decision_until_it_is_resumed(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub)
    mine = await link(sandbox, LEAD)
    await hub.request("POST", f"{HERE}/suspend")
    refused = await decide(hub, mine)
    await hub.request("POST", f"{HERE}/resume")
    await hub.advance(timedelta(seconds=1))
    assert (code(refused), decided(hub)) == ((409, "approval_suspended"), {})

    await decide(hub, mine)

    assert hub.output(ID)["outcome"] == "approved"


async def test_the_link_of_an_approval_that_was_deleted_is_unknown_and_useless_for_the_next(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub)
    old = await link(sandbox, LEAD)
    await hub.request("POST", f"{HERE}/cancel")
    await hub.request("DELETE", HERE)
    unknown = await decide(hub, old)
    await hub.advance(timedelta(hours=1))
    await ask(hub)

    superseded = await decide(hub, old)

    assert code(unknown) == (404, "unknown_operation")
    assert code(superseded) == (403, "token_superseded")
    assert decided(hub) == {}
    assert (await decide(hub, await link(sandbox, LEAD))).status == 202


async def test_the_event_of_a_decision_cannot_be_sent_without_a_token(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub)
    vote = {"role": "lead", "expires": "2026-01-31T00:00:00Z", "decision": "approve", "comment": ""}

    answer = await hub.request("POST", f"{HERE}/events/ApprovalDecided", json=vote)

    assert code(answer) == (404, "unknown_event")
    assert hub.status(ID) == "Running"


async def test_no_token_is_in_the_history_or_shown(hub: ManualHub, sandbox: Sandbox) -> None:
    await ask(hub)
    signature = (await link(sandbox, LEAD)).rpartition(".")[2]
    await hub.advance(timedelta(days=1))

    shown = await hub.request("GET", HERE)

    assert len(signature) == 43
    assert signature not in json.dumps(hub.history(ID), default=str)
    assert signature not in shown.text


async def test_the_link_leads_to_where_people_reach_the_app(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBSITE_HOSTNAME", "payables.azurewebsites.net")
    await ask(hub)
    monkeypatch.setenv("PUBLIC_URL", "https://pay.example.com/")
    await ask(hub, number="INV-2")

    first, second = await sandbox.mails(LEAD)

    assert (
        "\nhttps://payables.azurewebsites.net/api/approvals/approval:acme:INV-1/" in first["text"]
    )
    assert "\nhttps://pay.example.com/api/approvals/approval:acme:INV-2/" in second["text"]
