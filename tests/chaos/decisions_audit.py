"""Checks that each accepted decision counts once, and each result follows from the decisions."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

_RESULTS: Final = {"approve": "approved", "reject": "rejected"}


@dataclass
class Sent:
    """The decision of one person, sent until it was answered, and perhaps a second one."""

    role: str
    decision: str
    status: int = 0  # of the answer
    answered_at: float = 0.0  # seconds since 1970

    @property
    def is_accepted(self) -> bool:
        """Whether this decision must count. 409 says that an earlier attempt was accepted."""
        return self.status in (202, 409)


@dataclass
class Approval:
    """An approval that was requested. All mails to the roles in `refused` are refused."""

    number: str
    amount_cents: int
    needed: int
    roles: tuple[str, ...]
    refused: tuple[str, ...] = ()
    sent: list[Sent] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"approval:acme:{self.number}"

    @property
    def can_be_decided(self) -> bool:
        return len(self.roles) - len(self.refused) >= self.needed


@dataclass
class Document:
    """A document that was sent, and the decision of a reviewer, if one is asked."""

    number: str
    id: str
    content: bytes
    decision: str | None
    sent: list[Sent] = field(default_factory=list)


@dataclass
class Findings:
    """How the approvals and documents ended, and what is wrong, as texts."""

    ends: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    second: int = 0  # second decisions that were sent
    wrong: list[str] = field(default_factory=list)

    def show(self) -> None:
        for words in self.wrong:
            print(f"- {words}")
        rows = [*sorted(self.ends.items()), ("decisions accepted", self.accepted)]
        rows += [("second decisions sent", self.second), ("errors found", len(self.wrong))]
        for name, figure in rows:
            print(f"{name:<24}{figure:>8}")


def audit(
    approvals: Sequence[Approval],
    documents: Sequence[Document],
    operations: dict[str, Any],
    books: dict[str, Any],
) -> Findings:
    """Compare every operation with the decisions that were sent, the mailbox and the books."""
    found = Findings()
    mails = Counter(mail["subject"] for mail in books["/mail/messages"]["messages"])
    postings = books["/postings"]["postings"]
    for approval in approvals:
        wrong = list(_of_approval(found, approval, operations[approval.id], mails))
        found.wrong += [f"{approval.id} {words}" for words in wrong]
    for document in documents:
        posted = [
            each for each in postings if each["number"] == document.number and not each["reversed"]
        ]
        wrong = list(_of_document(found, document, operations[document.id], posted))
        found.wrong += [f"{document.number} {words}" for words in wrong]
    sent = [one for approval in approvals for one in approval.sent]
    sent += [one for document in documents for one in document.sent]
    found.accepted = sum(each.is_accepted for each in sent)
    return found


def _of_approval(
    found: Findings, approval: Approval, operation: Any, mails: Counter[str]
) -> Iterator[str]:
    status = operation["runtimeStatus"]
    if status not in ("Completed", "Failed"):
        yield f"has not ended: {operation}"
        return
    if status == "Failed":
        found.ends[f"approval failed: {operation['output']['code']}"] += 1
        counted = dict((operation["customStatus"] or {}).get("decided", {}))
        settled_at = None
        if approval.can_be_decided:
            yield f"failed, and enough people could be reached: {operation['output']}"
    else:
        output = operation["output"]
        found.ends[f"approval {output['outcome']}"] += 1
        counted = {each["role"]: each["decision"] for each in output["decisions"]}
        result, settled_at = _result_of(output["decisions"], approval.needed)
        if len(counted) != len(output["decisions"]):
            yield f"counts a role twice: {output['decisions']}"
        if output["outcome"] != result:
            yield f"is {output['outcome']}, and its decisions are {output['decisions']}"
        told = mails[f"the payment of invoice {approval.number} of acme is {output['outcome']}"]
        if (
            told > 1
        ):  # the mail may be missing: it is tried five times, and the result is valid without it
            yield f"sent its result {told} times"
    asked = mails[f"decide on the payment of invoice {approval.number} of acme"]
    if asked > len(approval.roles):
        yield f"asked {len(approval.roles)} people by {asked} mails"
    yield from _of_decisions(approval.sent, counted, settled_at)


def _of_decisions(
    sent: Sequence[Sent], counted: dict[str, str], settled_at: float | None
) -> Iterator[str]:
    """Describe what is wrong with the decisions that count."""
    first = {each.role: each for each in reversed(sent)}
    for role, decision in counted.items():
        if role not in first:
            yield f"counts a decision of {role}, who has sent none"
        elif first[role].decision != decision:
            yield f"counts {decision} of {role}, who sent {first[role].decision} before"
    for role, each in first.items():
        is_late = settled_at is not None and each.answered_at >= settled_at
        if each.is_accepted and role not in counted and not is_late:
            yield f"lost {each.decision} of {role}, which was accepted"


def _result_of(decisions: Sequence[dict[str, Any]], needed: int) -> tuple[str, float | None]:
    """Compute the result of the decisions, and when it was reached."""
    times = Counter[str]()
    for each in decisions:
        times[each["decision"]] += 1
        if times[each["decision"]] == needed:
            settled_at = datetime.fromisoformat(each["at"]).timestamp()
            return _RESULTS[each["decision"]], settled_at
    return "not decided", None


def _of_document(
    found: Findings, document: Document, operation: Any, posted: Sequence[Any]
) -> Iterator[str]:
    if operation["runtimeStatus"] != "Completed":
        yield f"did not complete: {operation}"
        return
    output = operation["output"]
    found.ends[f"document {output['outcome']}"] += 1
    reviews = output["reviews"]
    counted = {"reviewer": reviews[0]["decision"]} if reviews else {}
    if len(reviews) > 1:
        yield f"counts {len(reviews)} decisions"
    yield from _of_decisions(document.sent, counted, None)
    expected = "rejected" if document.decision == "reject" else "posted"
    if output["outcome"] != expected:
        yield f"is {output['outcome']} and should be {expected}"
    if len(posted) != (expected == "posted"):
        yield f"is {expected}, and the books hold {len(posted)} postings"
