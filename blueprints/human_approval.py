"""Human approval: people approve or reject a payment; they are reminded, and it expires.

POST /api/approvals starts the approval of the payment of one invoice. Returns 202; repeating the
request returns 200 or 202, and 409 if the amount differs. The mails contain links to
/api/approvals/{id}/decisions: GET shows the payment, POST sends the decision of a role. A token for
another approval gets 403, a second decision of a role 409, and a late decision 410.
"""

import logging
from collections.abc import Generator
from datetime import datetime, timedelta
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
from activities.decision_tokens import DecisionGrant, check_token, require_key
from activities.ids import IdPart, approval_id
from activities.messages import Message, send_message
from blueprints.human_approval_mails import Mails
from blueprints.human_approval_voting import (
    Ballot,
    Choice,
    Decision,
    Result,
    Vote,
    decided_event,
    vote_of,
)
from http_api.answers import accepted
from http_api.bodies import Body, Query, read_body, read_query
from http_api.instances import Instance, find, sdk_problems
from http_api.pages import decision_page
from http_api.problems import Problem, answers_problems, failures_as_503
from http_api.starting import start_once
from orchestration.cancel_rules import on_cancel
from orchestration.failures import Failure, failure_of

LONGEST: Final = timedelta(days=3)  # a timer of more than six days cannot be cancelled
# The SDK's retry: four attempts, the same pause after each failure, refusals included.
RESULT_MAIL: Final = df.RetryOptions(
    first_retry_interval_in_milliseconds=5000, max_number_of_attempts=4
)

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
    vote = Vote(**decision.model_dump())
    event = decided_event(grant.role, grant.expires)
    with sdk_problems(grant.operation):
        await client.raise_event(grant.operation, event, vote.model_dump())
    return accepted(req, grant.operation)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", left="links in mails that were sent lead nowhere")
def payment_approval(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Outcome]:
    """Ask people until enough agree. Remind them, ask one more person, and expire in the end."""
    payment = cast(Payment, context.get_input())
    context.set_custom_status({"step": "starting"})
    terms: Terms = yield context.call_activity(set_approval_terms, payment)

    now = _now(context)
    ballot = Ballot(terms["needed"], now + timedelta(hours=terms["expire_hours"]), terms["asked"])
    escalates = now + timedelta(hours=terms["escalate_hours"])
    mails = Mails(remind_every=timedelta(hours=terms["remind_hours"]))
    votes: dict[str, Any] = {}
    while ballot.result is None and now < ballot.until:
        if now >= escalates:
            ballot.escalate(terms["escalated_to"])
            escalates = ballot.until
        mails.add(ballot.undecided, now)
        # Wait for the votes before anybody is asked. Of two events that arrive under one name
        # while nobody waits for it, the SDK keeps only the last.
        for role in ballot.undecided:
            if role not in votes:
                event = decided_event(role, ballot.expires)
                votes[role] = context.wait_for_external_event(event)
        context.set_custom_status(ballot.as_status())

        if due := mails.due(ballot.undecided, now):
            requests = [_request(context, payment, ballot, mails, role) for role in due]
            yield from _mail(context, requests, ballot, mails, votes)
        else:
            next_mail = mails.next_due(ballot.undecided)
            timer: Any = context.create_timer(
                min(next_mail, escalates, ballot.until, now + LONGEST)
            )
            yield context.task_any([*votes.values(), timer])
            if not timer.is_completed:
                timer.cancel()
            _count(context, ballot, votes)
        now = _now(context)

    result: Result = ballot.result or "expired"
    ballot.step = result
    context.set_custom_status(ballot.as_status())
    yield from _mail_result(context, payment, ballot, result)
    _count(context, ballot, votes)  # those that the route accepted before it could see the result
    return Outcome(
        vendor=payment["vendor"],
        number=payment["number"],
        amount_cents=payment["amount_cents"],
        outcome=result,
        decisions=ballot.decisions,
    )


def _now(context: df.DurableOrchestrationContext) -> datetime:
    """The time in whole seconds, because the platform cuts timers to whole seconds."""
    return context.current_utc_datetime.replace(microsecond=0)


def _request(
    context: df.DurableOrchestrationContext,
    payment: Payment,
    ballot: Ballot,
    mails: Mails,
    role: str,
) -> DecisionRequest:
    return DecisionRequest(
        approval=context.instance_id,
        payment=payment,
        role=role,
        address=ballot.asked[role],
        expires=ballot.expires,
        times=mails.sent(role),
    )


def _mail(
    context: df.DurableOrchestrationContext,
    requests: list[DecisionRequest],
    ballot: Ballot,
    mails: Mails,
    votes: dict[str, Any],
) -> Generator[Any, Any, None]:
    """Mail some people, and count the votes that arrive meanwhile.

    Returns when enough people have voted: a mail that is still being sent then does not delay the
    result. Raises the Failure of a mail if too few people can be reached.
    """
    calls = {each["role"]: context.call_activity(request_approval, each) for each in requests}
    running = list(calls.values())
    while running and ballot.result is None:
        yield context.task_any([*votes.values(), *running])
        running = [call for call in running if not call.is_completed]
        _count(context, ballot, votes)
    for role, call in calls.items():
        if isinstance(call.result, Exception):  # so a failed call ends in `task_any`
            failure = failure_of(call.result)
            mails.failed(role, failure, _now(context))
            if not context.is_replaying:
                log.info("%s: the mail to %s failed: %s", context.instance_id, role, failure)
        elif call.is_completed:
            mails.succeeded(role, _now(context))
    ballot.step = "waiting" if ballot.step == "asking" else ballot.step
    unreached = mails.unreached(ballot.undecided)
    if len(ballot.asked) - len(unreached) < ballot.needed:
        raise unreached[0]


def _count(context: df.DurableOrchestrationContext, ballot: Ballot, votes: dict[str, Any]) -> None:
    """Count the votes that have arrived, and show them: the route reads the custom status."""
    for role in [role for role, vote in votes.items() if vote.is_completed]:
        vote = vote_of(votes.pop(role).result)
        counts = ballot.take(role, vote, context.current_utc_datetime)
        if not counts and not context.is_replaying:
            log.info("%s: a vote of %s does not count: %s", context.instance_id, role, vote)
    context.set_custom_status(ballot.as_status())


def _mail_result(
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
    try:
        yield context.call_activity_with_retry(send_message, RESULT_MAIL, message)
    except Exception as error:  # the SDK raises nothing narrower
        if not context.is_replaying:
            log.info("%s: the result was not mailed: %s", context.instance_id, failure_of(error))


def _grant(req: func.HttpRequest) -> DecisionGrant:
    """Return what the token of a link allows. Raises Problem: 403 wrong token, 410 expired."""
    token = read_query(req, TokenQuery).token
    try:
        return check_token(token, req.route_params["id"], clock.now())
    except Failure as failure:
        status = {"token_expired": 410, "token_invalid": 403}.get(failure.code, 503)
        raise Problem(status, failure.code, failure.message) from failure


async def _open_for(grant: DecisionGrant, client: df.DurableOrchestrationClient) -> Instance:
    """Return the approval if this role may still decide. Raises Problem 404, 410, 409, 403."""
    approval = await find(client, grant.operation)
    known: dict[str, Any] = approval.custom_status or {}
    name = f"approval {grant.operation!r}"
    is_settled = known.get("step") in get_args(Result)
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
