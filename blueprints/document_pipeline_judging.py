"""What is to become of a document: it is classified and checked, and a person asked in doubt."""

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypedDict, cast

import azure.durable_functions as df

from activities import limits
from activities.document_checks import (
    CHECKS,
    Assessment,
    Check,
    Classified,
    Doubt,
    check_invoice,
    classify_document,
)
from activities.documents import DocumentFields, Reading
from activities.reviews import ReviewRequest, ReviewTerms, request_document_review
from blueprints.document_pipeline_reviews import Choice, Review, reviewed_event
from orchestration.event_waits import call_while_listening, listen_until
from orchestration.events import event_data
from orchestration.retrying import PATIENT, call_with_retry
from orchestration.settling import settle_map
from orchestration.showing import time_text

STEPS: Final = (
    "reading",
    "classifying",
    "checking",
    "reviewing",
    "storing",
    "posting",
    "notifying",
)


class Reviewed(TypedDict):
    """A decision that counted."""

    round: int
    decision: Choice
    corrections: dict[str, Any]
    comment: str
    at: str


class Judged(TypedDict):
    """What is to become of a document; `doubts` are those that were left."""

    outcome: Literal["accepted", "filed", "rejected", "expired"]
    kind: str
    fields: DocumentFields
    doubts: list[Doubt]
    reviews: list[Reviewed]


def judge(
    context: df.DurableOrchestrationContext, reading: Reading, terms: ReviewTerms
) -> Generator[Any, Any, Judged]:
    """Classify and check; while there is doubt ask a person, and look anew at what they say."""
    until = context.current_utc_datetime + timedelta(hours=terms["review_hours"])
    judged = Judged(outcome="rejected", kind="", fields=reading["fields"], doubts=[], reviews=[])
    confidence = reading["confidence"]
    for number in range(1, limits.REVIEW_ROUNDS.most + 1):
        yield from _assess(context, judged, confidence, terms["sure_percent"])
        if not judged["doubts"]:
            judged["outcome"] = "accepted" if judged["kind"] == "invoice" else "filed"
            break
        review = yield from _ask(context, judged, number, until)
        if review is None and context.current_utc_datetime >= until:
            judged["outcome"] = "expired"
            break
        if review is None:
            continue
        judged["reviews"].append(_reviewed(context, number, review))
        if review.decision == "reject":
            break
        corrected = {**judged["fields"], **review.corrections.as_fields()}
        judged["fields"], confidence = cast(DocumentFields, corrected), {}
    return judged


def show_step(context: df.DurableOrchestrationContext, step: str, **more: Any) -> None:
    """Say in the custom status how far a document is."""
    done = STEPS.index(step) if step in STEPS else len(STEPS)
    context.set_custom_status({"step": step, "done": done, "of": len(STEPS), **more})


def _assess(
    context: df.DurableOrchestrationContext,
    judged: Judged,
    confidence: dict[str, float],
    sure_percent: int,
) -> Generator[Any, Any, None]:
    """Find out the kind, and every doubt: of what was read, then of the checks of an invoice."""
    show_step(context, "classifying")
    fields = judged["fields"]
    assessment = Assessment(fields=fields, confidence=confidence, sure_percent=sure_percent)
    classified: Classified = yield from call_with_retry(context, classify_document, assessment)
    judged["kind"], judged["doubts"] = classified["kind"], classified["doubts"]
    invoice = classified["invoice"]
    if invoice is None:
        return

    show_step(context, "checking")
    checks = [Check(check=check, invoice=invoice) for check in CHECKS]
    ends = yield from settle_map(context, check_invoice, checks, len(checks), PATIENT)
    for end in ends:
        if end.failure:
            raise end.failure
        judged["doubts"] += end.value["doubts"]


def _ask(
    context: df.DurableOrchestrationContext, judged: Judged, number: int, until: datetime
) -> Generator[Any, Any, Review | None]:
    """Mail a person the link of this round, and wait for the decision from before the mail is sent.

    Returns None if no decision arrives in time, or if it is malformed.
    """
    if context.current_utc_datetime >= until:
        return None
    expires, fields, doubts = time_text(until), judged["fields"], judged["doubts"]
    request = ReviewRequest(
        document=context.instance_id, round=number, expires=expires, fields=fields, doubts=doubts
    )
    answer: Any = context.wait_for_external_event(reviewed_event(number, expires))

    def listen() -> list[Any] | None:
        return None if answer.is_completed else [answer]

    shown = {"round": number, "expires": expires, "fields": fields, "doubts": doubts}
    show_step(context, "reviewing", **shown)
    requests = {"reviewer": request}
    ends = yield from call_while_listening(
        context, request_document_review, requests, listen, until, PATIENT
    )
    mail = ends.get("reviewer")
    if mail and mail.failure and not answer.is_completed and context.current_utc_datetime < until:
        raise mail.failure
    yield from listen_until(context, listen, until)
    is_in_time = answer.is_completed and context.current_utc_datetime < until
    return event_data(answer.result, Review) if is_in_time else None


def _reviewed(context: df.DurableOrchestrationContext, number: int, review: Review) -> Reviewed:
    return Reviewed(
        round=number,
        decision=review.decision,
        corrections=review.corrections.as_fields(),
        comment=review.comment,
        at=time_text(context.current_utc_datetime),
    )
