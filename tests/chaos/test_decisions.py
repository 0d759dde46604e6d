"""A short form of the random kills during decisions; `make chaos` runs the long form."""

from pathlib import Path
from typing import Any

import pytest

from tests.chaos.decisions import in_folder
from tests.chaos.decisions_audit import Approval, Document, Sent, audit

AT = "2026-01-01T00:00:10Z"
BEFORE, AFTER = 1_767_225_605.0, 1_767_225_615.0  # five seconds before AT, and after


@pytest.mark.azurite
def test_every_accepted_decision_counts_once_and_every_result_follows(tmp_path: Path) -> None:
    found = in_folder(tmp_path, approvals=8, documents=3, kills=2, seed=3, say=print)

    assert found.wrong == []
    assert found.accepted >= 10
    assert found.ends.total() == 11


# What the audit finds


def an_approval(*sent: tuple[str, str, int, float], refused: tuple[str, ...] = ()) -> Approval:
    """An approval by two of three, and the decisions that were sent."""
    roles = ("lead", "controller", "director")
    return Approval("A-1", 1_000_001, 2, roles, refused, [Sent(*each) for each in sent])


def completed(outcome: str, **decisions: str) -> dict[str, Any]:
    made = [{"role": role, "decision": each, "at": AT} for role, each in decisions.items()]
    return {"runtimeStatus": "Completed", "output": {"outcome": outcome, "decisions": made}}


def failed(**decided: str) -> dict[str, Any]:
    output = {"code": "mail_refused", "message": "no"}
    return {"runtimeStatus": "Failed", "output": output, "customStatus": {"decided": decided}}


def wrong_with(approval: Approval, operation: dict[str, Any]) -> list[str]:
    told = "the payment of invoice A-1 of acme is "
    mails = [{"subject": told + outcome} for outcome in ("approved", "rejected")]
    books = {"/mail/messages": {"messages": mails}, "/postings": {"postings": []}}
    found = audit([approval], [], {approval.id: operation}, books)
    return [words.removeprefix(f"{approval.id} ") for words in found.wrong]


LEAD, CONTROLLER = ("lead", "approve", 202, BEFORE), ("controller", "approve", 202, BEFORE)


@pytest.mark.parametrize(
    ("approval", "operation", "wrong"),
    [
        (an_approval(LEAD, CONTROLLER), completed("approved", lead="approve"), "is approved, and"),
        (an_approval(LEAD), completed("approved", lead="approve", cfo="approve"), "none"),
        (
            an_approval(LEAD, CONTROLLER),
            completed("rejected", lead="reject", controller="approve"),
            "counts reject of lead",
        ),
        (
            an_approval(LEAD, CONTROLLER, ("director", "reject", 202, BEFORE)),
            completed("approved", lead="approve", controller="approve"),
            "lost reject of director",
        ),
        (
            an_approval(LEAD, CONTROLLER, ("director", "reject", 409, BEFORE)),
            completed("approved", lead="approve", controller="approve"),
            "lost reject of director",
        ),
        (an_approval(LEAD, refused=("controller", "director")), failed(), "lost approve of lead"),
        (an_approval(LEAD, refused=("director",)), failed(lead="approve"), "could be reached"),
        (an_approval(LEAD), {"runtimeStatus": "Running"}, "has not ended"),
    ],
)
def test_an_approval_that_does_not_follow_from_the_decisions_is_found(
    approval: Approval, operation: dict[str, Any], wrong: str
) -> None:
    assert any(wrong in words for words in wrong_with(approval, operation))


@pytest.mark.parametrize(
    ("approval", "operation"),
    [
        (
            an_approval(LEAD, CONTROLLER, ("director", "reject", 202, AFTER)),
            completed("approved", lead="approve", controller="approve"),
        ),
        (
            an_approval(LEAD, CONTROLLER, ("director", "reject", 410, AFTER)),
            completed("approved", lead="approve", controller="approve", director="reject"),
        ),
        (an_approval(LEAD, refused=("controller", "director")), failed(lead="approve")),
    ],
)
def test_an_approval_that_follows_from_the_decisions_is_not_wrong(
    approval: Approval, operation: dict[str, Any]
) -> None:
    assert wrong_with(approval, operation) == []


@pytest.mark.parametrize(
    ("outcome", "reviews", "posted", "wrong"),
    [
        ("rejected", ["reject"], 0, []),
        ("posted", ["accept"], 1, ["counts accept of", "is posted and", "postings"]),
        ("rejected", ["reject"], 1, ["the books hold 1"]),
        ("rejected", [], 0, ["lost reject of reviewer"]),
        ("rejected", ["reject", "accept"], 0, ["counts 2 decisions"]),
    ],
)
def test_a_document_that_does_not_follow_from_its_decision_is_found(
    outcome: str, reviews: list[str], posted: int, wrong: list[str]
) -> None:
    document = Document("D-1", "document:1", b"", "reject", [Sent("reviewer", "reject", 202)])
    output = {"outcome": outcome, "reviews": [{"decision": each} for each in reviews]}
    operations = {document.id: {"runtimeStatus": "Completed", "output": output}}
    postings = [{"number": "D-1", "reversed": False}] * posted
    books = {"/mail/messages": {"messages": []}, "/postings": {"postings": postings}}

    found = audit([], [document], operations, books).wrong

    assert len(found) == len(wrong)
    assert all(words in each for words, each in zip(wrong, found, strict=True))
