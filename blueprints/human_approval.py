"""Human approval: a payment waits for people to decide, who are reminded, but not for ever.

POST /api/approvals starts one approval a payment: 202; 200 or 409 where it is asked again. Mails
hold links to /api/approvals/{id}/decisions: GET shows what is asked, POST decides, once a role.
Another's token is 403, a second decision 409, one that comes late 410.
"""

from collections import Counter
from datetime import timedelta
from typing import Any, Final, TypedDict, cast, get_args

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import clock
from activities.approvals import (
    DecisionRequest,
    Payment,
    Terms,
    request_approval,
    set_approval_terms,
)
from activities.decision_tokens import Seat, check_token, require_key
from activities.messages import Message, send_message
from blueprints.human_approval_voting import Ballot, Choice, Decision, Result, Vote
from http_api.answers import accepted
from http_api.bodies import Body, Query, read_body, read_query
from http_api.instances import Instance, find, sdk_problems
from http_api.pages import decision_page
from http_api.problems import Problem, answers_problems, failures_as_503
from http_api.starting import start_once
from orchestration import limits
from orchestration.deadlines import first_of
from orchestration.events import event_data
from orchestration.failures import Failure
from orchestration.ids import IdPart, approval_id
from orchestration.log import log_once
from orchestration.retrying import RETRY, Retry, call_with_retry
from orchestration.settling import settle_map
from orchestration.steps import Steps

# None of the events that anybody may send: whoever sends it has shown a token.
DECIDED_EVENT: Final = "ApprovalDecided"
# Nobody knows of an approval before the first mails are out, so they are tried for most of a day.
FIRST_MAILS: Final = Retry(attempts=100, longest_pause=timedelta(minutes=10))

bp = df.Blueprint()


class ApprovalBody(Body):
    """A payment to be approved."""

    payment: IdPart
    vendor: IdPart
    amount_cents: int = Field(gt=0, le=limits.CENTS.most)
    currency: str = Field("EUR", pattern="^[A-Z]{3}$")
    purpose: str = Field("", max_length=limits.PURPOSE_CHARS.most)
    requested_by: str = Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=limits.ADDRESS_CHARS.most)


class DecisionBody(Body):
    """What somebody decides, and why."""

    decision: Choice
    comment: str = Field("", max_length=limits.COMMENT_CHARS.most)


class TokenQuery(Query):
    """What a link brings along."""

    token: str = Field(max_length=limits.TOKEN_CHARS.most)


class Outcome(TypedDict):
    """How an approval ended."""

    payment: str
    outcome: Result
    decisions: list[Decision]


@bp.route(route="approvals", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_payment_approval(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the approval of the payment in the body, once."""
    payment = read_body(req, ApprovalBody)
    with failures_as_503():
        require_key()
    instance_id = approval_id(payment.payment)
    work = payment.model_dump(mode="json")
    return await start_once(req, client, "payment_approval", instance_id, work)


@bp.route(route="approvals/{id}/decisions", methods=["GET"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def show_approval_request(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Show what the holder of a link may decide. Mail scanners open links: it changes nothing."""
    seat = seat_of(req)
    approval = await _open_for(seat, client)
    shown = {"role": seat.role, "until": seat.expires, "payment": approval.input}
    return decision_page(req, f"Decide on {seat.approval}", shown, get_args(Choice))


@bp.route(route="approvals/{id}/decisions", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def send_approval_decision(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Send the decision in the body in the role that the token gives."""
    seat = seat_of(req)
    said = read_body(req, DecisionBody)
    await _open_for(seat, client)
    vote = Vote(role=seat.role, expires=seat.expires, **said.model_dump())
    with sdk_problems(seat.approval):
        await client.raise_event(seat.approval, decided_event(seat.role), vote.model_dump())
    return accepted(req, seat.approval)


def decided_event(role: str) -> str:
    """The event by which a role decides; one a role, which is waited for once.

    The SDK keeps one event that comes while nobody waits for it, and gives it to every later wait
    for that name: waiting again for a name that was heard may hear the same for ever.
    """
    return f"{DECIDED_EVENT}:{role}"


@bp.orchestration_trigger(context_name="context", input_type=dict)
def payment_approval(context: df.DurableOrchestrationContext) -> Steps[Outcome]:
    """Ask people until enough agree; remind them, ask one more in time, expire in the end."""
    payment = cast(Payment, context.get_input())
    context.set_custom_status({"step": "asking"})
    terms: Terms = yield from call_with_retry(context, set_approval_terms, payment)

    began = context.current_utc_datetime
    remind_every = timedelta(hours=terms["remind_hours"])
    reminds = began + remind_every
    expires = began + timedelta(hours=terms["expire_hours"])
    escalates = began + timedelta(hours=terms["escalate_hours"])
    if not terms["escalated_to"]:
        escalates = expires
    ballot = Ballot(terms["needed"], expires, terms["asked"])
    times: Counter[str] = Counter()
    # Before the mails: who is quick decides while others' are on their way still.
    context.set_custom_status({"step": "asking"} | ballot.as_status())
    if failures := (yield from _ask(context, payment, ballot, times, FIRST_MAILS)):
        raise failures[0]

    answers: dict[str, Any] = {}
    step, result = "waiting", ballot.result
    while result is None:
        context.set_custom_status({"step": step} | ballot.as_status())
        due = min(reminds, escalates, expires)
        for role in sorted(ballot.undecided.keys() - answers.keys()):
            answers[role] = context.wait_for_external_event(decided_event(role))
        waiting = [answers[role] for role in sorted(answers)]
        answered = yield from first_of(context, waiting, due - context.current_utc_datetime)
        if answered:
            role = next(role for role, answer in answers.items() if answer is answered)
            vote = event_data(answers.pop(role).result, Vote)
            if not ballot.take(vote, context.current_utc_datetime):
                log_once(context, "a vote of %s that does not count: %s", role, vote)
            result = ballot.result
        elif due == expires or context.current_utc_datetime >= expires:
            result = "expired"
        else:
            if due == escalates:
                step, escalates = "escalated", expires
                ballot.asked |= terms["escalated_to"]
            reminds = context.current_utc_datetime + remind_every
            yield from _ask(context, payment, ballot, times)

    context.set_custom_status({"step": result} | ballot.as_status())
    yield from _tell(context, payment, ballot, result)
    log_once(context, "%s", result)
    return Outcome(payment=payment["payment"], outcome=result, decisions=ballot.decisions)


def _ask(
    context: df.DurableOrchestrationContext,
    payment: Payment,
    ballot: Ballot,
    times: Counter[str],
    retry: Retry = RETRY,
) -> Steps[list[Failure]]:
    """Mail all who have not decided; count how often each was; return what went wrong."""
    requests = [
        DecisionRequest(
            approval=context.instance_id,
            payment=payment,
            role=role,
            address=address,
            expires=ballot.expires,
            times=times[role],
        )
        for role, address in ballot.undecided.items()
    ]
    times.update(list(ballot.undecided))
    ends = yield from settle_map(context, request_approval, requests, len(requests), retry)
    failures = [end.failure for end in ends if end.failure]
    for failure in failures:
        log_once(context, "a mail was not sent: %s", failure)
    return failures


def _tell(
    context: df.DurableOrchestrationContext, payment: Payment, ballot: Ballot, result: Result
) -> Steps[None]:
    """Mail the outcome to whoever asked; it stands, though the mail may fail."""
    lines = [
        f"{decision['role']}: {decision['decision']}. {decision['comment']}".strip()
        for decision in ballot.decisions
    ]
    message = Message(
        to=payment["requested_by"],
        subject=f"payment {payment['payment']} is {result}",
        text="\n".join(lines) or "nobody has decided",
        key=f"{context.instance_id}:{ballot.expires}:outcome",
    )
    [told] = yield from settle_map(context, send_message, [message], 1)
    if told.failure:
        log_once(context, "the outcome was not mailed: %s", told.failure)


def seat_of(req: func.HttpRequest) -> Seat:
    """Whose link it is. Raises Problem: 403 for a wrong token, 410 for one that expired."""
    token = read_query(req, TokenQuery).token
    try:
        return check_token(token, req.route_params["id"], clock.now())
    except Failure as failure:
        status = {"token_expired": 410, "token_invalid": 403}.get(failure.code, 503)
        raise Problem(status, failure.code, failure.message) from failure


async def _open_for(seat: Seat, client: df.DurableOrchestrationClient) -> Instance:
    """The approval while it waits for this seat. Raises Problem 404, 410, 409, 403."""
    approval = await find(client, seat.approval)
    known: dict[str, Any] = approval.custom_status or {}
    name = f"approval {seat.approval!r}"
    if approval.has_ended:
        how = known.get("step") if approval.state == "Completed" else approval.state
        raise Problem(410, "approval_ended", f"{name} is {how}: it is too late to decide")
    if known.get("expires") != seat.expires:
        detail = f"the token is of an earlier run of {name}: use the link in the latest message"
        raise Problem(403, "token_superseded", detail)
    if decision := known["decided"].get(seat.role):
        detail = f"{seat.role} decided to {decision} on {name} already: it cannot be changed"
        raise Problem(409, "already_decided", detail)
    if approval.state == "Suspended":
        raise Problem(409, "approval_suspended", f"{name} is suspended: decide once it is resumed")
    return approval
