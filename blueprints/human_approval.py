"""Human approval: people approve or reject a payment; they are reminded, and it expires.

POST /api/approvals starts the approval of the payment of one invoice. Returns 202; repeating the
request returns 200 or 202, and 409 if the amount differs. The mails contain links to
/api/approvals/{id}/decisions: GET shows the payment, POST sends the decision of a role. A token for
another approval gets 403, a second decision of a role 409, and a late decision 410.
"""

import logging
from collections import Counter
from collections.abc import Generator
from datetime import timedelta
from typing import Any, Final, TypedDict, cast, get_args

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import clock, limits
from activities.approvals import (
    DecisionRequest,
    Payment,
    Terms,
    invoice_name,
    request_approval,
    set_approval_terms,
)
from activities.decision_tokens import Seat, check_token, require_key
from activities.ids import IdPart, approval_id
from activities.messages import Message, send_message
from blueprints.human_approval_voting import (
    Ballot,
    Choice,
    Decision,
    Result,
    Vote,
    Voting,
    decided_event,
)
from http_api.answers import accepted
from http_api.bodies import Body, Query, read_body, read_query
from http_api.instances import Instance, find, sdk_problems
from http_api.pages import decision_page
from http_api.problems import Problem, answers_problems, failures_as_503
from http_api.starting import start_once
from orchestration.cancel_rules import on_cancel
from orchestration.event_waits import call_while_listening, listen_until
from orchestration.failures import Failure
from orchestration.retrying import PATIENT, RETRY, Retry, call_with_retry
from orchestration.settling import settle_map

EVEN_REMINDERS: Final = 7  # with the same pause before each

bp = df.Blueprint()
log = logging.getLogger(__name__)


class ApprovalBody(Body):
    """The payment of an invoice, in euros, that needs an approval."""

    vendor: IdPart
    number: IdPart
    amount_cents: int = Field(gt=0, le=limits.CENTS.most)
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
    """How an approval ended, and what exactly was approved or not."""

    vendor: str
    number: str
    amount_cents: int
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
    instance_id = approval_id(payment.vendor, payment.number)
    work = payment.model_dump(mode="json")
    return await start_once(req, client, "payment_approval", instance_id, work)


@bp.route(route="approvals/{id}/decisions", methods=["GET"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def show_approval_request(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Show the payment to the holder of a link. It changes nothing: mail scanners open links."""
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
    """Send the decision in the body, for the role in the token."""
    seat = seat_of(req)
    said = read_body(req, DecisionBody)
    await _open_for(seat, client)
    vote = Vote(**said.model_dump())
    event = decided_event(seat.role, seat.expires)
    with sdk_problems(seat.approval):
        await client.raise_event(seat.approval, event, vote.model_dump())
    return accepted(req, seat.approval)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", left="links in mails that were sent lead nowhere")
def payment_approval(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Outcome]:
    """Ask people until enough agree. Remind them, ask one more person, and expire in the end."""
    payment = cast(Payment, context.get_input())
    context.set_custom_status({"step": "starting"})
    terms: Terms = yield from call_with_retry(context, set_approval_terms, payment)

    began = context.current_utc_datetime
    remind_every = timedelta(hours=terms["remind_hours"])
    reminds = began + remind_every
    expires = began + timedelta(hours=terms["expire_hours"])
    escalates = began + timedelta(hours=terms["escalate_hours"])
    if not terms["escalated_to"]:
        escalates = expires
    ballot = Ballot(terms["needed"], expires, terms["asked"])
    voting = Voting(context, ballot)
    times: Counter[str] = Counter()
    # Nobody knows of the approval before these mails arrive, so they are retried for 20 hours.
    failures = yield from _ask(context, payment, ballot, voting, times, PATIENT)
    if len(ballot.asked) - len(failures) < ballot.needed:
        raise failures[0]

    voting.step = "waiting"
    while ballot.result is None:
        due = min(reminds, escalates, expires)
        yield from listen_until(context, voting.listen, due)
        if ballot.result or due == expires or context.current_utc_datetime >= expires:
            break
        if due == escalates:
            voting.step, escalates = "escalated", expires
            ballot.asked |= terms["escalated_to"]
        sent = max(times.values())  # to whoever was asked first
        reminds = context.current_utc_datetime + pause_after(sent, remind_every)
        yield from _ask(context, payment, ballot, voting, times, RETRY)

    result: Result = ballot.result or "expired"
    voting.step = result
    voting.show()
    yield from _tell(context, payment, ballot, result)
    voting.count()  # those that the route accepted before it could see the result
    voting.show()
    if not context.is_replaying:
        log.info("%s: %s", context.instance_id, result)
    return Outcome(
        vendor=payment["vendor"],
        number=payment["number"],
        amount_cents=payment["amount_cents"],
        outcome=result,
        decisions=ballot.decisions,
    )


def pause_after(reminders: int, every: timedelta) -> timedelta:
    """The pause after so many reminders: it doubles from the seventh on, so that they stay few."""
    return every * 2 ** max(reminders + 1 - EVEN_REMINDERS, 0)


def _ask(
    context: df.DurableOrchestrationContext,
    payment: Payment,
    ballot: Ballot,
    voting: Voting,
    times: Counter[str],
    retry: Retry,
) -> Generator[Any, Any, list[Failure]]:
    """Mail everybody who has not decided, and count votes meanwhile.

    Returns why mails were not sent, except the mails to people who have decided all the same.
    """
    requests = {
        role: DecisionRequest(
            approval=context.instance_id,
            payment=payment,
            role=role,
            address=address,
            expires=ballot.expires,
            times=times[role],
        )
        for role, address in ballot.undecided.items()
    }
    times.update(requests.keys())
    ends = yield from call_while_listening(
        context, request_approval, requests, voting.listen, ballot.until, retry
    )
    failures = {role: end.failure for role, end in ends.items() if end.failure}
    for role, failure in failures.items():
        if not context.is_replaying:
            log.info("%s: the mail to %s was not sent: %s", context.instance_id, role, failure)
    return [failure for role, failure in failures.items() if role in ballot.undecided]


def _tell(
    context: df.DurableOrchestrationContext, payment: Payment, ballot: Ballot, result: Result
) -> Generator[Any, Any, None]:
    """Mail the result to the requester. A failure of this mail does not change the result."""
    lines = [
        f"{decision['role']}: {decision['decision']}. {decision['comment']}".strip()
        for decision in ballot.decisions
    ]
    message = Message(
        to=payment["requested_by"],
        subject=f"the payment of {invoice_name(payment)} is {result}",
        text="\n".join(lines) or "nobody has decided",
        key=f"{context.instance_id}:{ballot.expires}:outcome",
    )
    [told] = yield from settle_map(context, send_message, [message], 1)
    if told.failure and not context.is_replaying:
        log.info("%s: the outcome was not mailed: %s", context.instance_id, told.failure)


def seat_of(req: func.HttpRequest) -> Seat:
    """Return what the token of a link allows. Raises Problem: 403 wrong token, 410 expired."""
    token = read_query(req, TokenQuery).token
    try:
        return check_token(token, req.route_params["id"], clock.now())
    except Failure as failure:
        status = {"token_expired": 410, "token_invalid": 403}.get(failure.code, 503)
        raise Problem(status, failure.code, failure.message) from failure


async def _open_for(seat: Seat, client: df.DurableOrchestrationClient) -> Instance:
    """Return the approval if this role may still decide. Raises Problem 404, 410, 409, 403."""
    approval = await find(client, seat.approval)
    known: dict[str, Any] = approval.custom_status or {}
    name = f"approval {seat.approval!r}"
    is_settled = known.get("step") in get_args(Result)
    if approval.has_ended or is_settled:
        how = known["step"] if is_settled else approval.state
        raise Problem(410, "approval_ended", f"{name} is {how}: it is too late to decide")
    if known.get("expires") != seat.expires:
        detail = f"the token is for an earlier run of {name}: use the link in the latest message"
        raise Problem(403, "token_superseded", detail)
    if decision := known["decided"].get(seat.role):
        detail = f"{seat.role} has already sent {decision} for {name}: it cannot be changed"
        raise Problem(409, "already_decided", detail)
    if approval.state == "Suspended":
        raise Problem(409, "approval_suspended", f"{name} is suspended: decide after it is resumed")
    return approval
