"""Reviews of a document: the routes that the links in mails lead to, and the event of a decision.

Each round of a review has its own link. GET /api/documents/{id}/original returns the file,
GET …/decisions what was read and what is doubtful, and POST …/decisions accepts, corrects or
rejects it. A token for another document gets 403, a second decision 409, and a late decision 410.
"""

from typing import Annotated, Any, Final, Literal, Self

import azure.durable_functions as df
import azure.functions as func
from pydantic import BaseModel, ConfigDict, Field, model_validator

from activities import clock, limits
from activities.clock import TimeText, time_text
from activities.decision_tokens import DecisionGrant, check_token
from activities.documents import load_original
from activities.ids import IdPart
from activities.reviews import role_of_round
from http_api.answers import accepted
from http_api.bodies import Body, Query, read_body, read_query
from http_api.instances import Instance, find, sdk_problems
from http_api.pages import decision_page
from http_api.problems import Problem, answers_problems, failures_as_problems

# Not in OPEN_EVENTS: only the route that checks a token sends it.
REVIEWED_EVENT: Final = "DocumentReviewed"

Choice = Literal["accept", "correct", "reject"]
Kind = Literal["invoice", "credit note", "reminder", "statement"]

bp = df.Blueprint()


class Corrections(BaseModel):
    """The right values of fields that were read wrong."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    kind: Kind | None = None
    vendor: IdPart | None = None
    number: IdPart | None = None
    order: IdPart | None = None
    amount_cents: Annotated[int, Field(gt=0, le=limits.CENTS.most)] | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None

    def as_fields(self) -> dict[str, Any]:
        """Return the corrected fields only."""
        return self.model_dump(exclude_none=True)


class Review(BaseModel):
    """What the event of a decision carries. `at` is when the route accepted the decision."""

    decision: Choice
    corrections: Corrections = Corrections()
    comment: str = ""
    at: TimeText


class DecisionBody(Body):
    """A decision: the document was read right, is corrected, or must not be posted."""

    decision: Choice
    corrections: Corrections = Corrections()
    comment: str = Field("", max_length=limits.COMMENT_CHARS.most)

    @model_validator(mode="after")
    def _corrects_or_not(self) -> Self:
        if (self.decision == "correct") != bool(self.corrections.as_fields()):
            raise ValueError("corrections go with the decision 'correct', and with no other")
        return self


class TokenQuery(Query):
    """The query of a link."""

    token: str = Field(max_length=limits.TOKEN_CHARS.most)


@bp.route(route="documents/{id}/original", methods=["GET"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def download_document(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Return the file to the person who decides. Browsers save it and do not display it."""
    grant = _grant(req)
    await _open_for(grant, client)
    with failures_as_problems():
        content = await load_original(grant.operation)
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
    """Show what was read and what is doubtful. This changes nothing: mail scanners open links."""
    document = await _open_for(_grant(req), client)
    known = ("round", "expires", "fields", "doubts")
    shown = {name: document.custom_status[name] for name in known}
    # A correction needs fields, so it has no button.
    return decision_page(req, "Look at a document", shown, ("accept", "reject"))


@bp.route(route="documents/{id}/decisions", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def send_document_decision(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Send the decision in the body. Each round accepts one decision."""
    grant = _grant(req)
    decision = read_body(req, DecisionBody)
    document = await _open_for(grant, client)
    event = reviewed_event(document.custom_status["round"], grant.expires)
    review = Review(**decision.model_dump(), at=time_text(clock.now()))
    with sdk_problems(grant.operation):
        await client.raise_event(grant.operation, event, review.model_dump(exclude_none=True))
    return accepted(req, grant.operation)


def reviewed_event(number: int, expires: str) -> str:
    """Return the name of the event that carries the decision of a round.

    `expires` separates two runs of one document: a decision for the earlier run that arrives late
    has a name that the later run never waits for.
    """

    return f"{REVIEWED_EVENT}:{number}:{expires}"


def _grant(req: func.HttpRequest) -> DecisionGrant:
    """Return what the token of a link allows. Raises Problem: 403 wrong token, 410 expired."""
    token = read_query(req, TokenQuery).token
    with failures_as_problems(token_expired=410, token_invalid=403):
        return check_token(token, req.route_params["id"], clock.now())


async def _open_for(grant: DecisionGrant, client: df.DurableOrchestrationClient) -> Instance:
    """Return the document if this link may still decide. Raises Problem 404, 410, 409, 403."""
    document = await find(client, grant.operation)
    status: dict[str, Any] = document.custom_status or {}
    name = f"document {grant.operation!r}"
    is_failing = status.get("step") == "failed"
    if document.has_ended or is_failing:
        is_shown = is_failing or document.state == "Completed"
        how = status.get("step") if is_shown else document.state
        raise Problem(410, "review_ended", f"{name} is {how}: it is too late to decide")
    if status.get("step") != "reviewing" or grant.role != role_of_round(status["round"]):
        detail = f"{name} was already decided by this link: use the link in the latest message"
        raise Problem(409, "already_decided", detail)
    if status["expires"] != grant.expires:
        detail = f"the token is for an earlier run of {name}: use the link in the latest message"
        raise Problem(403, "token_superseded", detail)
    if document.state == "Suspended":
        raise Problem(409, "document_suspended", f"{name} is suspended: decide after it is resumed")
    return document
