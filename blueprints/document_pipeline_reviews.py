"""The reviews of a document: how a person is let in, what they may decide, and how it is heard.

Mails hold links for one round each: GET /api/documents/{id}/original is the file, GET
…/decisions what was read and is doubtful, POST …/decisions accepts, corrects or rejects it.
Another's token is 403, a second decision 409, one that comes late 410.
"""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

import azure.durable_functions as df
import azure.functions as func
from pydantic import BaseModel, ConfigDict, Field, model_validator

from activities.decision_tokens import Seat
from activities.documents import load_original
from activities.reviews import role_of_round
from blueprints.human_approval import seat_of
from http_api.answers import accepted
from http_api.bodies import Body, read_body
from http_api.instances import Instance, find, sdk_problems
from http_api.pages import decision_page
from http_api.problems import Problem, answers_problems, failures_as_503
from orchestration import limits
from orchestration.deadlines import first_of
from orchestration.events import event_data
from orchestration.ids import IdPart
from orchestration.showing import time_text
from orchestration.steps import Steps

# None of the events that anybody may send: whoever sends it has shown a token.
REVIEWED_EVENT: Final = "DocumentReviewed"

Choice = Literal["accept", "correct", "reject"]
Kind = Literal["invoice", "credit note", "reminder", "statement"]

bp = df.Blueprint()


class Corrections(BaseModel):
    """What a document says, where it was read wrong."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    kind: Kind | None = None
    vendor: IdPart | None = None
    number: IdPart | None = None
    order: IdPart | None = None
    amount_cents: Annotated[int, Field(gt=0, le=limits.CENTS.most)] | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None

    def as_fields(self) -> dict[str, Any]:
        """Those that are corrected."""
        return self.model_dump(exclude_none=True)


class Review(BaseModel):
    """What a person decided; `expires` tells the reviews of one run from those of an earlier."""

    expires: str
    decision: Choice
    corrections: Corrections = Corrections()
    comment: str = ""


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


def reviewed_event(number: int) -> str:
    """The event of one round, which is waited for once.

    The SDK keeps one event that comes while nobody waits for it, and gives it to every later wait
    for that name: waiting again for a name that was heard may hear the same for ever.
    """
    return f"{REVIEWED_EVENT}:{number}"


def hear_review(
    context: df.DurableOrchestrationContext, number: int, until: datetime
) -> Steps[Review | None]:
    """Wait for the review of a round; None where what came is none, or nothing did in time."""
    awaited: Any = context.wait_for_external_event(reviewed_event(number))
    heard = yield from first_of(context, [awaited], until - context.current_utc_datetime)
    review = event_data(heard.result, Review) if heard else None
    is_late = context.current_utc_datetime >= until
    return review if review and review.expires == time_text(until) and not is_late else None


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
