"""What becomes of a document: it is classified and checked, and a person reviews it in doubt."""

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypedDict, cast

import azure.durable_functions as df

from activities import limits
from activities.clock import time_text
from activities.document_checks import (
    CHECKS,
    Assessment,
    Check,
    Checked,
    Classified,
    Doubt,
    check_invoice,
    classify_document,
)
from activities.documents import DocumentFields, Reading
from activities.reviews import ReviewRequest, ReviewTerms, request_document_review
from blueprints.document_pipeline_reviews import Choice, Review, reviewed_event
from http_api.bodies import read_event
from orchestration.deadlines import wait_any
from orchestration.failures import Failure, failure_of
from orchestration.retrying import PATIENT, pause_after, retried

STEPS: Final = (
    "reading",
    "classifying",
    "checking",
    "reviewing",
    "storing",
    "posting",
    "notifying",
)
ON_ITS_WAY: Final = timedelta(seconds=10)  # how long a decision that the route accepted may take


class ReviewRecord(TypedDict):
    """A decision that counted."""

    round: int
    decision: Choice
    corrections: dict[str, Any]
    comment: str
    at: str


class Judgement(TypedDict):
    """What becomes of a document. `doubts` are those that remain."""

    outcome: Literal["accepted", "filed", "rejected", "expired"]
    kind: str
    fields: DocumentFields
    doubts: list[Doubt]
    reviews: list[ReviewRecord]


def judge(
    context: df.DurableOrchestrationContext, reading: Reading, terms: ReviewTerms
) -> Generator[Any, Any, Judgement]:
    """Classify and check a document. While there is doubt, ask a person, and check again."""
    # Whole seconds, because the platform cuts timers to whole seconds.
    start = context.current_utc_datetime.replace(microsecond=0)
    until = start + timedelta(hours=terms["review_hours"])
    judgement = Judgement(
        outcome="rejected", kind="", fields=reading["fields"], doubts=[], reviews=[]
    )
    confidence = reading["confidence"]
    for number in range(1, limits.REVIEW_ROUNDS.most + 1):
        yield from _check(context, judgement, confidence, terms["sure_percent"])
        if not judgement["doubts"]:
            judgement["outcome"] = "accepted" if judgement["kind"] == "invoice" else "filed"
            break
        review = yield from _ask_reviewer(context, judgement, number, until)
        if review is None and context.current_utc_datetime >= until:
            judgement["outcome"] = "expired"
            break
        if review is None:
            continue
        corrections = review.corrections.as_fields()
        judgement["reviews"].append(
            ReviewRecord(
                round=number,
                decision=review.decision,
                corrections=corrections,
                comment=review.comment,
                at=review.at,
            )
        )
        if review.decision == "reject":
            break
        judgement["fields"] = cast(DocumentFields, {**judgement["fields"], **corrections})
        confidence = {}  # a person has looked at all fields
    return judgement


def show_step(context: df.DurableOrchestrationContext, step: str, **more: Any) -> None:
    """Set the custom status. The routes of a review read it."""
    done = STEPS.index(step) if step in STEPS else len(STEPS)
    context.set_custom_status({"step": step, "done": done, "of": len(STEPS), **more})


def _check(
    context: df.DurableOrchestrationContext,
    judgement: Judgement,
    confidence: dict[str, float],
    sure_percent: int,
) -> Generator[Any, Any, None]:
    """Find the kind of the document and every doubt; make all checks of an invoice at once."""
    show_step(context, "classifying")
    assessment = Assessment(
        fields=judgement["fields"], confidence=confidence, sure_percent=sure_percent
    )
    classified: Classified = yield context.call_activity(classify_document, assessment)
    judgement["kind"], judgement["doubts"] = classified["kind"], classified["doubts"]
    invoice = classified["invoice"]
    if invoice is None:
        return

    def make_checks() -> Generator[Any, Any, list[Checked]]:
        checks = [Check(check=check, invoice=invoice) for check in CHECKS]
        calls = [context.call_activity(check_invoice, check) for check in checks]
        return cast(list[Checked], (yield context.task_all(calls)))

    show_step(context, "checking")
    for checked in (yield from retried(context, make_checks, PATIENT)):
        judgement["doubts"] += checked["doubts"]


def _ask_reviewer(
    context: df.DurableOrchestrationContext, judgement: Judgement, number: int, until: datetime
) -> Generator[Any, Any, Review | None]:
    """Mail a person the link of this round, and wait for the decision.

    The decision counts from before the mail is sent, and while the mail is retried. Returns None if
    no decision is made in time, or if it is malformed. Raises the Failure of the mail.
    """
    expires, fields, doubts = time_text(until), judgement["fields"], judgement["doubts"]
    show_step(context, "reviewing", round=number, expires=expires, fields=fields, doubts=doubts)
    request = ReviewRequest(
        document=context.instance_id, round=number, expires=expires, fields=fields, doubts=doubts
    )
    decision: Any = context.wait_for_external_event(reviewed_event(number, expires))
    give_up, attempt = context.current_utc_datetime + PATIENT.within, 1
    failure: Failure | None = None
    while not decision.is_completed and context.current_utc_datetime < until:
        mail: Any = context.call_activity(request_document_review, request)
        yield context.task_any([decision, mail])
        if decision.is_completed:
            break
        pause = until - context.current_utc_datetime
        if isinstance(mail.result, Exception):  # so a failed call ends in `task_any`
            refused = failure_of(mail.result)
            try:
                pause = min(pause, pause_after(context, refused, PATIENT, attempt, give_up))
            except Failure as last:
                failure = last
                show_step(context, "failed")  # the route accepts no decision from now on
                break
            attempt += 1
        yield from wait_any(context, [decision], pause)
    if not decision.is_completed:  # the route may have accepted one a moment ago
        yield from wait_any(context, [decision], ON_ITS_WAY)
    if failure and not decision.is_completed:
        raise failure
    # A decision that was accepted in time may arrive later, for example in a suspended document.
    review = read_event(decision.result, Review) if decision.is_completed else None
    return review if review and review.at < expires else None
