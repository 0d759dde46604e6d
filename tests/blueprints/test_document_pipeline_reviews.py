"""Document reviews: a person accepts, corrects or rejects once, in time, by the link of a round."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest

from activities.decision_tokens import DecisionGrant, make_token
from activities.reviews import REVIEWER
from blueprints.document_pipeline_judging import ON_ITS_WAY
from blueprints.document_pipeline_reviews import reviewed_event
from durablehost.testing import Answer, ManualHub
from tests.outside import Sandbox
from tests.scanning import decide, id_of, link, reported, scanned, send, stored, take_in

pytestmark = [pytest.mark.azurite, pytest.mark.usefixtures("storage")]

EXPIRES = "2026-01-03T00:00:00Z"
TWO_DAYS = timedelta(days=2)
A_SECOND = timedelta(seconds=1)
A_REVIEW = {
    "decision": "accept",
    "comment": "I see 1250.00",
    "at": "2026-01-01T00:00:00Z",
}


async def in_doubt(hub: ManualHub, **changes: Any) -> str:
    """A document that waits for a person, who could just accept it."""
    document = await take_in(hub, scanned(**{"number": "INV-1 ?0.6"} | changes))
    assert hub.custom_status(document)["step"] == "reviewing"
    return document


def code(answer: Answer) -> tuple[int, str]:
    """What a refusal says to programs, once it is sure that people are told as well."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert len(answer.json()["detail"]) > 20
    return answer.status, answer.json()["code"]


# What is decided


async def test_an_accepted_document_is_posted_as_it_was_read(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    document = await in_doubt(hub)
    await hub.advance(timedelta(hours=5))

    answer = await decide(hub, await link(sandbox), "accept", comment="legible enough")

    assert answer.status == 202
    output = hub.output(document)
    assert (output["outcome"], output["fields"]["number"]) == ("posted", "INV-1")
    made = {"round": 1, "decision": "accept", "corrections": {}, "comment": "legible enough"}
    assert output["reviews"] == [made | {"at": "2026-01-01T05:00:00Z"}]
    assert (await stored(document, "decision.json"))["reviews"] == output["reviews"]


async def test_a_corrected_document_is_posted_as_the_person_says(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("reader", wrong_next=1)
    document = await take_in(hub, scanned())

    await decide(hub, await link(sandbox), "correct", corrections={"amount_cents": 125_000})

    assert hub.output(document)["outcome"] == "posted"
    assert [posting["amount_cents"] for posting in await sandbox.postings()] == [125_000]
    extracted = await stored(document, "extracted.json")
    assert extracted["fields"]["amount_cents"]["value"] == 1_250_000


async def test_a_rejected_document_is_stored_and_reported_but_not_posted(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    document = await in_doubt(hub)

    await decide(hub, await link(sandbox), "reject", comment="not ours")

    assert hub.output(document)["outcome"] == "rejected"
    assert (await stored(document, "decision.json"))["reviews"][0]["comment"] == "not ours"
    assert await reported(sandbox) == ["invoice INV-1 of acme is rejected"]
    assert await sandbox.postings() == []


async def test_a_document_without_a_decision_expires_to_the_second(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    document = await in_doubt(hub)
    await hub.advance(TWO_DAYS + ON_ITS_WAY - A_SECOND)
    assert hub.status(document) == "Running"

    await hub.advance(A_SECOND)

    assert (hub.status(document), hub.output(document)["outcome"]) == ("Completed", "expired")
    assert (await stored(document, "decision.json"))["outcome"] == "expired"
    assert await reported(sandbox) == ["invoice INV-1 of acme is expired"]
    assert await sandbox.postings() == []


async def test_a_document_that_is_no_invoice_after_all_is_filed(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    document = await in_doubt(hub, kind="flyer")

    await decide(hub, await link(sandbox), "correct", corrections={"kind": "statement"})

    assert (hub.output(document)["outcome"], hub.output(document)["kind"]) == ("filed", "statement")


async def test_a_correction_that_is_wrong_is_asked_about_again_by_another_link(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    document = await in_doubt(hub)
    first = await link(sandbox)

    await decide(hub, first, "correct", corrections={"order": "PO-1002"})

    assert hub.custom_status(document)["round"] == 2
    assert [doubt["code"] for doubt in hub.custom_status(document)["doubts"]] == ["other_vendor"]
    assert code(await decide(hub, first)) == (409, "already_decided")
    await decide(hub, await link(sandbox), "correct", corrections={"order": "PO-1001"})
    assert hub.output(document)["outcome"] == "posted"
    assert [made["round"] for made in hub.output(document)["reviews"]] == [1, 2]


async def test_accepting_does_not_overrule_a_check_but_makes_it_again(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    document = await in_doubt(hub, order="PO-7")
    await decide(hub, await link(sandbox))
    assert [doubt["code"] for doubt in hub.custom_status(document)["doubts"]] == ["order_unknown"]

    await sandbox.put("/orders/PO-7", vendor="acme", amount_cents=125_000)
    await decide(hub, await link(sandbox))

    assert hub.output(document)["outcome"] == "posted"


async def test_after_five_rounds_in_doubt_a_document_is_rejected(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    document = await in_doubt(hub, order="PO-7")

    for _ in range(5):
        await decide(hub, await link(sandbox))

    assert hub.output(document)["outcome"] == "rejected"
    assert [doubt["code"] for doubt in hub.output(document)["doubts"]] == ["order_unknown"]
    assert len(await sandbox.mails(REVIEWER)) == 5


async def test_the_deadline_is_one_for_all_rounds(hub: ManualHub, sandbox: Sandbox) -> None:
    document = await in_doubt(hub, order="PO-7")
    await hub.advance(TWO_DAYS - A_SECOND)

    await decide(hub, await link(sandbox))
    await hub.advance(timedelta(minutes=1))

    assert hub.output(document)["outcome"] == "expired"


async def test_nobody_is_asked_once_more_after_the_deadline(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    document = await in_doubt(hub, order="PO-7")
    await hub.advance(TWO_DAYS - A_SECOND)
    await sandbox.fault("orders", fail_next=1)

    await decide(hub, await link(sandbox))
    await hub.run_until_ended(document)

    assert hub.output(document)["outcome"] == "expired"
    assert len(await sandbox.mails(REVIEWER)) == 1


async def test_a_document_that_is_sent_again_is_checked_and_reported_again(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    content = scanned("INV-1 ?0.6")
    document = await take_in(hub, content)
    await decide(hub, await link(sandbox), "reject")
    await hub.request("DELETE", f"/api/operations/{document}")
    await hub.advance(A_SECOND)

    await take_in(hub, content)
    await decide(hub, await link(sandbox), "accept")

    assert hub.output(document)["outcome"] == "posted"
    assert await reported(sandbox) == [
        f"invoice INV-1 of acme is {each}" for each in ("rejected", "posted")
    ]


# The links


async def test_opening_a_link_shows_what_was_read_and_decides_nothing(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    document = await in_doubt(hub)

    shown = await hub.request("GET", await link(sandbox))

    message = "'INV-1' was read with 60% confidence"
    assert shown.status == 200
    assert shown.json() == {
        "round": 1,
        "expires": EXPIRES,
        "fields": hub.custom_status(document)["fields"],
        "doubts": [{"about": "number", "code": "unsure", "message": message}],
    }
    assert hub.status(document) == "Running"


async def test_a_browser_gets_buttons_for_what_needs_no_corrections(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await in_doubt(hub)

    shown = await hub.request("GET", await link(sandbox), headers={"Accept": "text/html"})

    assert shown.headers["Content-Type"] == "text/html; charset=utf-8"
    assert re.findall(r'<button value="(\w+)"', shown.text) == ["accept", "reject"]
    assert "read with 60% confidence" in shown.text


async def test_the_person_gets_the_document_itself_as_a_file(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    content = scanned("INV-1 ?0.6")
    await take_in(hub, content)

    mine = await link(sandbox)
    given = await hub.request("GET", mine.replace("/decisions?", "/original?"))

    assert (given.status, given.body) == (200, content)
    assert given.headers["Content-Type"] == "application/pdf"
    assert given.headers["Content-Disposition"].startswith("attachment")
    assert given.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["original", "decisions"])
async def test_without_a_token_for_this_document_nothing_of_it_is_shown(
    hub: ManualHub, sandbox: Sandbox, path: str
) -> None:
    document = await in_doubt(hub)
    elsewhere = make_token(DecisionGrant("document:other", "reviewer-1", EXPIRES))

    bare = await hub.request("GET", f"/api/documents/{document}/{path}")
    others = await hub.request("GET", f"/api/documents/{document}/{path}?token={elsewhere}")

    assert code(bare) == (422, "invalid_query")
    assert code(others) == (403, "token_invalid")


async def test_a_token_of_another_round_or_time_decides_nothing(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    document = await in_doubt(hub)
    here = f"/api/documents/{document}/decisions?token="

    ahead = await decide(hub, here + make_token(DecisionGrant(document, "reviewer-2", EXPIRES)))
    earlier = DecisionGrant(document, "reviewer-1", "2026-01-02T23:00:00Z")
    of_an_earlier_run = await decide(hub, here + make_token(earlier))

    assert code(ahead) == (409, "already_decided")
    assert code(of_an_earlier_run) == (403, "token_superseded")
    assert hub.custom_status(document)["round"] == 1


async def test_a_token_for_a_document_that_was_never_started_gets_404(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    token = make_token(DecisionGrant("document:gone", "reviewer-1", EXPIRES))

    answer = await decide(hub, f"/api/documents/document:gone/decisions?token={token}")

    assert code(answer) == (404, "unknown_operation")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"decision": "approve"}, "decision"),
        ({"decision": "correct"}, ""),
        ({"decision": "accept", "corrections": {"number": "INV-2"}}, ""),
        ({"decision": "correct", "corrections": {"number": "INV/2"}}, "corrections.number"),
        ({"decision": "correct", "corrections": {"amount_cents": 0}}, "corrections.amount_cents"),
        ({"decision": "correct", "corrections": {"amount_cents": "5"}}, "corrections.amount_cents"),
        ({"decision": "correct", "corrections": {"colour": "red"}}, "corrections.colour"),
        ({"decision": "accept", "comment": "x" * 2001}, "comment"),
        ({"decision": "accept", "by": "me"}, "by"),
    ],
)
async def test_an_invalid_decision_names_the_field_and_decides_nothing(
    hub: ManualHub, sandbox: Sandbox, body: dict[str, Any], field: str
) -> None:
    document = await in_doubt(hub)

    answer = await hub.request("POST", await link(sandbox), json=body)

    assert code(answer) == (422, "invalid_body")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert hub.custom_status(document)["round"] == 1


# Late, twice, at once


@pytest.mark.parametrize("first", ["accept", "reject"])
async def test_a_second_decision_comes_too_late(
    hub: ManualHub, sandbox: Sandbox, first: str
) -> None:
    document = await in_doubt(hub)
    mine = await link(sandbox)
    await decide(hub, mine, first)
    before = hub.output(document)

    assert code(await decide(hub, mine, "reject")) == (410, "review_ended")
    assert hub.output(document) == before


async def test_a_decision_while_the_first_is_being_posted_changes_nothing(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    document = await in_doubt(hub)
    mine = await link(sandbox)
    await sandbox.fault("postings", method="POST", fail_next=3)
    await decide(hub, mine)

    assert code(await decide(hub, mine, "reject")) == (409, "already_decided")
    await hub.run_until_ended(document)
    assert hub.output(document)["outcome"] == "posted"


async def test_of_two_concurrent_decisions_one_counts(hub: ManualHub, sandbox: Sandbox) -> None:
    document = await in_doubt(hub)
    mine = await link(sandbox)

    answers = await asyncio.gather(*(decide(hub, mine, choice) for choice in ("accept", "reject")))

    assert {answer.status for answer in answers} <= {202, 409, 410}
    assert hub.status(document) == "Completed"
    assert len(hub.output(document)["reviews"]) == 1


async def test_a_decision_is_accepted_at_once_while_its_mail_is_retried(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("mail", lose_answer_next=1000, about="decisions?token=")
    document = await in_doubt(hub)
    mine = await link(sandbox)

    taken = await decide(hub, mine, "reject")
    second = await decide(hub, mine, "accept")
    await hub.run_until_ended(document)

    assert taken.status == 202
    assert second.status in (409, 410)
    assert hub.output(document)["outcome"] == "rejected"
    assert [made["decision"] for made in hub.output(document)["reviews"]] == ["reject"]
    assert hub.output(document)["reviews"][0]["at"] == "2026-01-01T00:00:00Z"
    assert len(hub.calls("request_document_review")) == 1


async def test_of_two_decisions_that_arrive_during_the_mail_the_first_counts(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    content = scanned("INV-1 ?0.6")

    async def decide_twice(request: Any) -> str:
        for decision in ("reject", "accept"):
            event = reviewed_event(request["round"], request["expires"])
            await hub.raise_event(id_of(content), event, A_REVIEW | {"decision": decision})
        return "message-1"

    hub.replace_activity("request_document_review", decide_twice)

    document = await take_in(hub, content)

    assert hub.output(document)["outcome"] == "rejected"
    assert await sandbox.postings() == []


async def test_a_mail_that_cannot_be_sent_fails_the_document(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVIEWER", "nobody")

    document = await take_in(hub, scanned("INV-1 ?0.6"))
    await hub.run_until_ended(document)

    shown = (await hub.request("GET", f"/api/operations/{document}")).json()
    assert (shown["runtimeStatus"], shown["output"]["code"]) == ("Failed", "bad_request")


async def test_no_decision_is_accepted_while_the_failure_of_the_document_is_mailed(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.slow_activity("send_message", timedelta(minutes=1))
    await sandbox.fault("mail", method="POST", lose_answer_next=1)
    document = await in_doubt(hub)  # the mail arrived, and its answer was lost
    mine = await link(sandbox)
    monkeypatch.setenv("REVIEWER", "nobody")
    await hub.advance(timedelta(seconds=10))

    late = await decide(hub, mine)

    assert hub.status(document) == "Running"  # the mail about the failure is being sent
    assert code(late) == (410, "review_ended")


async def test_a_decision_that_was_accepted_just_before_its_document_fails_counts(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sandbox.fault("mail", method="POST", lose_answer_next=1)
    document = await in_doubt(hub)  # the mail arrived, and its answer was lost
    monkeypatch.setenv("REVIEWER", "nobody")
    await hub.raise_event(document, reviewed_event(1, EXPIRES), A_REVIEW, after=5 * A_SECOND)

    await hub.advance(4 * A_SECOND)
    assert hub.custom_status(document)["step"] == "failed"
    await hub.run_until_ended(document)

    assert hub.output(document)["outcome"] == "posted"


async def test_a_decision_that_was_accepted_just_before_the_deadline_counts_if_it_arrives_after_it(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    document = await in_doubt(hub)
    in_time = A_REVIEW | {"at": "2026-01-02T23:59:59Z"}
    await hub.raise_event(
        document, reviewed_event(1, EXPIRES), in_time, after=TWO_DAYS + 2 * A_SECOND
    )

    await hub.run_until_ended(document)

    assert hub.output(document)["outcome"] == "posted"


async def test_a_decision_for_an_earlier_run_changes_nothing(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    document = await in_doubt(hub)

    await hub.raise_event(document, reviewed_event(1, "2026-01-02T00:00:00Z"), A_REVIEW)

    assert hub.custom_status(document)["round"] == 1


@pytest.mark.parametrize("days", [0, 3])
async def test_a_decision_after_the_deadline_is_too_late(
    hub: ManualHub, sandbox: Sandbox, days: int
) -> None:
    document = await in_doubt(hub)
    await hub.advance(TWO_DAYS + timedelta(days=days))

    assert code(await decide(hub, await link(sandbox))) == (410, "token_expired")
    await hub.run_until_ended(document)
    assert hub.output(document)["outcome"] == "expired"


async def test_a_suspended_document_takes_no_decision_until_it_is_resumed(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    document = await in_doubt(hub)
    await hub.request("POST", f"/api/operations/{document}/suspend?reason=audit")
    assert code(await decide(hub, await link(sandbox))) == (409, "document_suspended")

    await hub.request("POST", f"/api/operations/{document}/resume")
    await decide(hub, await link(sandbox))

    assert hub.output(document)["outcome"] == "posted"


async def test_a_decision_that_was_accepted_in_time_counts_although_it_arrives_after_the_deadline(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    document = await in_doubt(hub)
    mine = await link(sandbox)

    # The route accepts the decision, and somebody suspends the document before it receives it.
    accepted, suspended = await asyncio.gather(
        decide(hub, mine), hub.request("POST", f"/api/operations/{document}/suspend")
    )
    await hub.advance(TWO_DAYS)
    assert (accepted.status, suspended.status, hub.status(document)) == (202, 202, "Suspended")
    await hub.request("POST", f"/api/operations/{document}/resume")

    assert hub.output(document)["outcome"] == "posted"


async def test_a_cancelled_document_takes_no_decision(hub: ManualHub, sandbox: Sandbox) -> None:
    document = await in_doubt(hub)
    await hub.request("POST", f"/api/operations/{document}/cancel?reason=wrong+scan")

    assert code(await decide(hub, await link(sandbox))) == (410, "review_ended")
    assert hub.status(document) == "Terminated"


async def test_a_link_of_an_earlier_run_decides_nothing(hub: ManualHub, sandbox: Sandbox) -> None:
    content = scanned("INV-1 ?0.6")
    document = await take_in(hub, content)
    before = await link(sandbox)
    await hub.request("POST", f"/api/operations/{document}/cancel")
    await hub.request("DELETE", f"/api/operations/{document}")
    await hub.advance(timedelta(hours=1))
    await send(hub, content)

    assert code(await decide(hub, before)) == (403, "token_superseded")
    await decide(hub, await link(sandbox))
    assert hub.output(document)["outcome"] == "posted"


# Events as they reach the orchestrator


@pytest.mark.parametrize("as_http", [False, True])
async def test_a_review_counts_in_either_form_of_an_event(
    hub: ManualHub, sandbox: Sandbox, as_http: bool
) -> None:
    document = await in_doubt(hub)

    await hub.raise_event(document, reviewed_event(1, EXPIRES), A_REVIEW, as_http=as_http)

    assert hub.output(document)["outcome"] == "posted"


@pytest.mark.parametrize(
    "review",
    [
        None,
        "accept",
        [],
        {"comment": "I see 1250.00"},
        A_REVIEW | {"decision": "approve"},
        A_REVIEW | {"comment": 5},
        A_REVIEW | {"decision": "correct", "corrections": {"amount_cents": -1}},
    ],
)
async def test_a_malformed_review_posts_nothing_and_the_person_is_asked_again(
    hub: ManualHub, sandbox: Sandbox, review: Any
) -> None:
    document = await in_doubt(hub)

    await hub.raise_event(document, reviewed_event(1, EXPIRES), review)
    assert (hub.status(document), hub.custom_status(document)["round"]) == ("Running", 2)
    assert await sandbox.postings() == []

    await decide(hub, await link(sandbox))
    assert hub.output(document)["outcome"] == "posted"
    assert len(hub.output(document)["reviews"]) == 1


async def test_nobody_may_send_the_event_of_a_review_without_a_token(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    document = await in_doubt(hub)

    path = f"/api/operations/{document}/events/{reviewed_event(1, EXPIRES)}"
    answer = await hub.request("POST", path, json=A_REVIEW)

    assert code(answer) == (404, "unknown_event")
    assert hub.custom_status(document)["step"] == "reviewing"


async def test_a_review_that_comes_at_the_deadline_but_before_the_timer_is_late(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("mail", fail_next=1)
    document = await in_doubt(hub)  # whose timer is not set before its mail is out
    late = A_REVIEW | {"at": EXPIRES}
    await hub.raise_event(document, reviewed_event(1, EXPIRES), late, after=TWO_DAYS)

    await hub.run_until_ended(document)

    assert (hub.output(document)["outcome"], hub.output(document)["reviews"]) == ("expired", [])


async def test_a_mail_that_fails_for_hours_still_reaches_the_person(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("mail", fail_next=20)
    document = await in_doubt(hub)
    await hub.advance(timedelta(hours=8))

    await decide(hub, await link(sandbox))

    assert len(await sandbox.mails(REVIEWER)) == 1
    assert hub.output(document)["outcome"] == "posted"
