"""Human approval: people approve or reject a payment. They are reminded, and the approval expires.

POST /api/approvals starts the approval of the payment of one invoice. Returns 202; repeating the
request returns 200 or 202, and 409 if the amount differs. The links in the mails lead to
/api/approvals/{id}/decisions (human_approval_links.py).
"""

import logging
from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any, Final, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import limits
from activities.approvals import (
    DecisionRequest,
    Payment,
    Terms,
    invoice_name,
    request_approval,
    set_approval_terms,
)
from activities.decision_tokens import require_key
from activities.ids import IdPart, approval_id
from activities.messages import Message, failure_message, send_message
from blueprints.human_approval_mails import Mails
from blueprints.human_approval_voting import (
    Ballot,
    Decision,
    Result,
    Vote,
    decided_event,
)
from http_api.bodies import Body, read_body, read_event
from http_api.problems import answers_problems, failures_as_problems
from http_api.starting import start_once
from orchestration.cancel_rules import on_cancel
from orchestration.failures import Failure, failure_of, on_failure

LONGEST: Final = timedelta(days=3)  # a timer of more than six days cannot be cancelled
ON_ITS_WAY: Final = timedelta(seconds=10)  # how long a vote that the route has accepted may take
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
    with failures_as_problems():
        require_key()
    instance_id = approval_id(payment.vendor, payment.number)
    work = payment.model_dump(mode="json")
    return await start_once(req, client, "payment_approval", instance_id, work)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", left="links in mails that were sent lead nowhere")
@on_failure(send_message, failure_message)
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
        for role in sorted(set(ballot.undecided) - votes.keys()):
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

    if ballot.result is None:  # the route may have accepted a vote a moment ago
        yield context.create_timer(context.current_utc_datetime + ON_ITS_WAY)
        _count(context, ballot, votes)
    ballot.step = result = ballot.result or "expired"
    context.set_custom_status(ballot.as_status())
    yield from _mail_result(context, payment, ballot, result)
    _count(context, ballot, votes)  # those that the route accepted before it could see the result
    return _outcome(payment, ballot, result)


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
    if _too_few(ballot, mails):
        step, ballot.step = ballot.step, "failed"  # the route accepts no vote from now on
        context.set_custom_status(ballot.as_status())
        yield context.create_timer(context.current_utc_datetime + ON_ITS_WAY)
        _count(context, ballot, votes)
        if unreached := _too_few(ballot, mails):
            raise unreached
        ballot.step = step  # somebody whom no mail has reached has voted


def _too_few(ballot: Ballot, mails: Mails) -> Failure | None:
    """Why the mails reach fewer people than needed, or None. A person who has voted is reached."""
    unreached = mails.unreached(ballot.undecided)
    return unreached[0] if len(ballot.asked) - len(unreached) < ballot.needed else None


def _count(context: df.DurableOrchestrationContext, ballot: Ballot, votes: dict[str, Any]) -> None:
    """Count the votes that have arrived, and show them: the route reads the custom status."""
    for role in [role for role, vote in votes.items() if vote.is_completed]:
        vote = read_event(votes.pop(role).result, Vote)
        # The SDK would deliver an event that came before its wait to every later wait, too.
        context.deferred_tasks.pop(decided_event(role, ballot.expires), None)
        counts = ballot.take(role, vote)
        if not counts and not context.is_replaying:
            log.info("%s: a vote of %s does not count: %s", context.instance_id, role, vote)
    context.set_custom_status(ballot.as_status())


def _outcome(payment: Payment, ballot: Ballot, result: Result) -> Outcome:
    return Outcome(
        vendor=payment["vendor"],
        number=payment["number"],
        amount_cents=payment["amount_cents"],
        outcome=result,
        decisions=ballot.decisions,
    )


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
