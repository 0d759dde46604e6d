"""Document reviews: what the pipeline of documents takes for right, and whom it asks in doubt.

Mails hold links for one round each: GET /api/documents/{id}/original is the file, GET
…/decisions what was read and is doubtful, POST …/decisions accepts, corrects or rejects it.
Another's token is 403, a second decision 409, one that comes late 410.
"""

from datetime import datetime, timedelta
from typing import Any, Final, Literal, Self, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field, model_validator

from activities.decision_tokens import Seat
from activities.document_checks import (
    CHECKS,
    Assessment,
    Check,
    Classified,
    Doubt,
    check_invoice,
    classify_document,
)
from activities.documents import DocumentFields, Reading, load_original
from activities.reviews import ReviewRequest, ReviewTerms, request_review, role_of_round
from blueprints.human_approval import seat_of
from http_api.answers import accepted
from http_api.bodies import Body, read_body
from http_api.instances import Instance, find, sdk_problems
from http_api.pages import decision_page
from http_api.problems import Problem, answers_problems, failures_as_503
from orchestration import limits
from orchestration.retrying import Retry, call_with_retry
from orchestration.reviewing import (
    Choice,
    Corrections,
    Review,
    expires_text,
    hear_review,
    reviewed_event,
)
from orchestration.settling import settle_map
from orchestration.steps import Steps

# Who is down for most of a day delays a document, and does not lose it.
PATIENT: Final = Retry(attempts=60, longest_pause=timedelta(minutes=20), within=timedelta(hours=20))
STEPS: Final = (
    "reading",
    "classifying",
    "checking",
    "reviewing",
    "storing",
    "posting",
    "notifying",
)

bp = df.Blueprint()


class DecisionBody(Body):
    """What a person decides: it was read right, this is right, or it is not to be posted."""

    decision: Choice
    corrections: Corrections = Corrections()
    comment: str = Field("", max_length=limits.COMMENT_CHARS.most)

    @model_validator(mode="after")
    def _corrects_or_not(self) -> Self:
        if (self.decision == "correct") != bool(self.corrections.as_fields()):
            raise ValueError("corrections go with the decision 'correct', and with no other")
        return self


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


@bp.route(route="documents/{id}/original", methods=["GET"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def download_document(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Give a document's file to whoever is to decide on it, to be saved and not shown as a page."""
    seat = seat_of(req)
    await _open_for(seat, client)
    with failures_as_503():
        content = await load_original(seat.approval)
    headers = {
        "Content-Disposition": 'attachment; filename="document.pdf"',
        "X-Content-Type-Options": "nosniff",
    }
    return func.HttpResponse(content, headers=headers, mimetype="application/pdf")


@bp.route(route="documents/{id}/decisions", methods=["GET"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def show_document_review(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Show what was read and what is doubtful. Mail scanners open links: it changes nothing."""
    document = await _open_for(seat_of(req), client)
    known = ("round", "expires", "fields", "doubts")
    shown = {name: document.custom_status[name] for name in known}
    # To correct needs fields, and so a body of one's own.
    return decision_page(req, "Look at a document", shown, ("accept", "reject"))


@bp.route(route="documents/{id}/decisions", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def send_document_decision(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Send the decision in the body, which a round takes once."""
    seat = seat_of(req)
    said = read_body(req, DecisionBody)
    document = await _open_for(seat, client)
    event = reviewed_event(document.custom_status["round"])
    review = said.model_dump(exclude_none=True) | {"expires": seat.expires}
    with sdk_problems(seat.approval):
        await client.raise_event(seat.approval, event, review)
    return accepted(req, seat.approval)


def judge(
    context: df.DurableOrchestrationContext, reading: Reading, terms: ReviewTerms
) -> Steps[Judged]:
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
) -> Steps[None]:
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
) -> Steps[Review | None]:
    """Mail a person the link of this round, and wait for what they decide."""
    if context.current_utc_datetime >= until:
        return None
    expires, fields, doubts = expires_text(until), judged["fields"], judged["doubts"]
    request = ReviewRequest(
        document=context.instance_id, round=number, expires=expires, fields=fields, doubts=doubts
    )
    shown = {"round": number, "expires": expires, "fields": fields, "doubts": doubts}
    show_step(context, "reviewing", **shown)
    yield from call_with_retry(context, request_review, request, PATIENT)
    return (yield from hear_review(context, number, until))


def _reviewed(context: df.DurableOrchestrationContext, number: int, review: Review) -> Reviewed:
    return Reviewed(
        round=number,
        decision=review.decision,
        corrections=review.corrections.as_fields(),
        comment=review.comment,
        at=expires_text(context.current_utc_datetime),
    )


async def _open_for(seat: Seat, client: df.DurableOrchestrationClient) -> Instance:
    """The document while it waits for this seat. Raises Problem 404, 410, 409, 403."""
    document = await find(client, seat.approval)
    status: dict[str, Any] = document.custom_status or {}
    name = f"document {seat.approval!r}"
    if document.has_ended:
        how = status.get("step") if document.state == "Completed" else document.state
        raise Problem(410, "review_ended", f"{name} is {how}: it is too late to decide")
    if status.get("step") != "reviewing" or seat.role != role_of_round(status["round"]):
        detail = f"{name} was decided on by this link: use the one in the latest message, if any"
        raise Problem(409, "already_decided", detail)
    if status["expires"] != seat.expires:
        detail = f"the token is of an earlier run of {name}: use the link in the latest message"
        raise Problem(403, "token_superseded", detail)
    if document.state == "Suspended":
        raise Problem(409, "document_suspended", f"{name} is suspended: decide once it is resumed")
    return document
