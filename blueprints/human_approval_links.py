"""The links in the mails of an approval: they show the payment and take the decision of a role.

GET /api/approvals/{id}/decisions shows the payment, POST sends a decision. A token for another
approval gets 403, a second decision of a role 409, and a late decision 410.
"""

from typing import Any, get_args

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import clock, limits
from activities.clock import time_text
from activities.decision_tokens import DecisionGrant, check_token
from blueprints.human_approval_voting import Choice, Result, Vote, decided_event
from http_api.answers import accepted
from http_api.bodies import Body, Query, read_body, read_query
from http_api.instances import Instance, find, sdk_problems
from http_api.pages import decision_page
from http_api.problems import Problem, answers_problems, failures_as_problems

bp = df.Blueprint()


class DecisionBody(Body):
    """What somebody decides, and why."""

    decision: Choice
    comment: str = Field("", max_length=limits.COMMENT_CHARS.most)


class TokenQuery(Query):
    """What a link brings along."""

    token: str = Field(max_length=limits.TOKEN_CHARS.most)


@bp.route(route="approvals/{id}/decisions", methods=["GET"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def show_approval_request(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Show the payment to the holder of a link. It changes nothing: mail scanners open links."""
    grant = _grant(req)
    approval = await _open_for(grant, client)
    shown = {"role": grant.role, "until": grant.expires, "payment": approval.input}
    return decision_page(req, f"Decide on {grant.operation}", shown, get_args(Choice))


@bp.route(route="approvals/{id}/decisions", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def send_approval_decision(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Send the decision in the body, for the role in the token."""
    grant = _grant(req)
    decision = read_body(req, DecisionBody)
    await _open_for(grant, client)
    vote = Vote(**decision.model_dump(), at=time_text(clock.now()))
    event = decided_event(grant.role, grant.expires)
    with sdk_problems(grant.operation):
        await client.raise_event(grant.operation, event, vote.model_dump())
    return accepted(req, grant.operation)


def _grant(req: func.HttpRequest) -> DecisionGrant:
    """Return what the token of a link allows. Raises Problem: 403 wrong token, 410 expired."""
    token = read_query(req, TokenQuery).token
    with failures_as_problems(token_expired=410, token_invalid=403):
        return check_token(token, req.route_params["id"], clock.now())


async def _open_for(grant: DecisionGrant, client: df.DurableOrchestrationClient) -> Instance:
    """Return the approval if this role may still decide. Raises Problem 404, 410, 409, 403."""
    approval = await find(client, grant.operation)
    known: dict[str, Any] = approval.custom_status or {}
    name = f"approval {grant.operation!r}"
    is_settled = known.get("step") in (*get_args(Result), "failed")
    if approval.has_ended or is_settled:
        how = known["step"] if is_settled else approval.state
        raise Problem(410, "approval_ended", f"{name} is {how}: it is too late to decide")
    if known.get("expires") != grant.expires:
        detail = f"the token is for an earlier run of {name}: use the link in the latest message"
        raise Problem(403, "token_superseded", detail)
    if decision := known["decided"].get(grant.role):
        detail = f"{grant.role} has already sent {decision} for {name}: it cannot be changed"
        raise Problem(409, "already_decided", detail)
    if approval.state == "Suspended":
        raise Problem(409, "approval_suspended", f"{name} is suspended: decide after it is resumed")
    return approval
