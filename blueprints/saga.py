"""Saga: pay an invoice in steps; if a step fails, undo the steps before it.

POST /api/payments starts the payment of an invoice. Returns 202; repeating the request returns 200
or 202, and 409 if the amount differs. Returns 409 `approval_required` for a payment above the limit
that nobody approved. A payment ends paid, or failed and undone, or `needs_a_person`.
"""

import logging
from collections.abc import Generator
from contextlib import suppress
from typing import Any, Final, Literal, NamedTuple, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import limits
from activities.ids import IdPart, approval_id, payment_id
from activities.messages import PAYABLES, Message, failure_message, send_message
from activities.payments import (
    PaymentOrder,
    check_not_paid_yet,
    credit_vendor,
    debit_account,
    payment_limit_cents,
    reverse_credit,
    reverse_debit,
)
from activities.postings import post_payment, reverse_payment
from http_api.bodies import Body, read_body
from http_api.instances import look_for
from http_api.problems import Problem, answers_problems
from http_api.starting import start_once
from orchestration.cancel_rules import CANCEL_EVENT, cancel_reason, on_cancel
from orchestration.compensation import Undo, undo_all
from orchestration.failures import Failed, Failure, failure_of, on_failure
from orchestration.retrying import call_with_retry

APPROVAL_REQUIRED: Final = "approval_required"
CANCELLED: Final = "cancelled"
# A mail changes nothing about the payment, so the fixed pauses of the SDK's retry are enough.
MAIL_RETRY: Final = df.RetryOptions(
    first_retry_interval_in_milliseconds=5_000, max_number_of_attempts=5
)

bp = df.Blueprint()
log = logging.getLogger(__name__)


class Step(NamedTuple):
    """A step of a payment, and the activity that undoes it."""

    name: str
    doing: str
    activity: Any
    undo: Any


STEPS: Final = (
    Step("debit", "debiting", debit_account, reverse_debit),
    Step("credit", "crediting", credit_vendor, reverse_credit),
    Step("posting", "posting", post_payment, reverse_payment),
)
OF: Final = len(STEPS) + 2  # the check before them, and the mail after them


class PaymentBody(Body):
    """An invoice to be paid."""

    vendor: IdPart
    number: IdPart
    amount_cents: int = Field(gt=0, le=limits.CENTS.most)


class Payment(TypedDict):
    """The input of a payment."""

    vendor: str
    number: str
    amount_cents: int


class Paid(TypedDict):
    """The ids of what was done. `notice` is the mail to the vendor, or why it was not sent."""

    outcome: Literal["paid"]
    debit: str
    credit: str
    posting: str
    notice: str | Failed


class Unfinished(TypedDict):
    """A payment that is neither complete nor undone, because an undo failed for a day."""

    outcome: Literal["needs_a_person"]
    because: Failed
    undoing: Failed
    not_undone: list[str]
    what_to_do: str


@bp.route(route="payments", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_invoice_payment(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the payment of the invoice in the body."""
    payment = read_body(req, PaymentBody)
    instance_id = payment_id(payment.vendor, payment.number)
    if await look_for(client, instance_id) is None:
        try:
            await _require_approval(client, payment.vendor, payment.number, payment.amount_cents)
        except Failure as failure:
            status = 409 if failure.code == APPROVAL_REQUIRED else 503
            raise Problem(status, failure.code, failure.message) from failure
    work = payment.model_dump(mode="json")
    return await start_once(req, client, "invoice_payment", instance_id, work)


@bp.activity_trigger(input_name="order")
@bp.durable_client_input(client_name="client")
async def check_payment_approval(
    order: PaymentOrder, client: df.DurableOrchestrationClient
) -> None:
    """Fail if the payment needs an approval and has none. Reads only, so it may run twice."""
    await _require_approval(client, order["vendor"], order["number"], order["amount_cents"])


def _not_paid(payment: str, failure: Failure, key: str) -> Message:
    """Return the mail to accounts payable about a payment that was cancelled or has failed."""
    if failure.code != CANCELLED:
        return failure_message(payment, failure, key)
    text = (
        f"{failure.message}.\n\nMoney that had been moved is back in our account.\n"
        f"POST /api/operations/{payment}/retry pays after all.\n"
    )
    return Message(to=PAYABLES, subject=f"{payment} was cancelled"[:200], text=text, key=key)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("ends_itself", left="money that was moved stays moved: see the bank's ledger")
@on_failure(send_message, _not_paid)
def invoice_payment(
    context: df.DurableOrchestrationContext,
) -> Generator[Any, Any, Paid | Unfinished]:
    """Debit, credit, post and notify. If a step fails, undo the steps before it."""
    payment = cast(Payment, context.get_input())
    # A key names the run as well: the bank repeats its old answer to a key of an earlier run.
    run = context.new_uuid()[:8]

    def order(step: str) -> PaymentOrder:
        key = f"{context.instance_id}:{run}:{step}"
        return PaymentOrder(payment=context.instance_id, key=key, **payment)

    cancel: Any = context.wait_for_external_event(CANCEL_EVENT)
    # The wait receives no event before it was yielded once. The timer ends at once.
    yield context.task_any([cancel, context.create_timer(context.current_utc_datetime)])
    undos: list[Undo] = []
    ids: list[str] = []
    try:
        context.set_custom_status({"step": "checking", "done": 0, "of": OF})
        yield from call_with_retry(context, check_not_paid_yet, order("check"))
        yield from call_with_retry(context, check_payment_approval, order("check"))
        for done, step in enumerate(STEPS, start=1):
            _fail_if_cancelled(cancel)
            context.set_custom_status({"step": step.doing, "done": done, "of": OF})
            # Registered before the call: a step that seems to fail may have taken effect.
            undos.append(Undo(step.name, step.undo, order(step.name)))
            # The SDK's retry would repeat a refusal as well, while the money is in suspense.
            moved = yield from call_with_retry(context, step.activity, order(step.name))
            ids.append(moved["id"])
    except Exception as error:  # whatever it was, money may have moved
        return (yield from _undo(context, undos, failure_of(error)))

    context.set_custom_status({"step": "notifying", "done": OF - 1, "of": OF})
    notice: str | Failed
    try:
        mail = _mail_to_vendor(payment, order("notice")["key"])
        notice = yield context.call_activity_with_retry(send_message, MAIL_RETRY, mail)
    except Exception as error:  # the SDK raises nothing narrower
        notice = failure_of(error).as_data()
    context.set_custom_status({"step": "paid", "done": OF, "of": OF})
    debit, credit, posting = ids
    return Paid(outcome="paid", debit=debit, credit=credit, posting=posting, notice=notice)


def _undo(
    context: df.DurableOrchestrationContext, undos: list[Undo], failure: Failure
) -> Generator[Any, Any, Unfinished]:
    """Undo all steps and raise the failure. If an undo fails for a day, hand over to a person."""
    if not context.is_replaying:
        log.info("%s: failed (%s), undoing %d steps", context.instance_id, failure, len(undos))
    undoing = yield from undo_all(context, undos)
    if undoing is None:
        context.set_custom_status({"step": "undone", "done": 0, "of": OF})
        raise failure

    steps = [undo.step for undo in undos]
    what_to_do = (
        f"Undo these steps of {context.instance_id} at the bank and in the books, in this order: "
        f"{', '.join(reversed(steps))}. Then delete this operation, and pay again if it is due."
    )
    text = f"{failure.message}; undoing {steps[-1]} failed: {undoing.message}. {what_to_do}"
    subject = f"Payment {context.instance_id} needs a person"[:200]
    key = f"{context.instance_id}:{context.new_uuid()[:8]}:handover"
    mail = Message(to=PAYABLES, subject=subject, text=text, key=key)
    with suppress(Exception):  # the custom status and the output tell the same
        yield context.call_activity_with_retry(send_message, MAIL_RETRY, mail)
    status = {"step": "needs a person", "done": len(steps), "of": OF, "what_to_do": what_to_do}
    context.set_custom_status(status)
    return Unfinished(
        outcome="needs_a_person",
        because=failure.as_data(),
        undoing=undoing.as_data(),
        not_undone=steps,
        what_to_do=what_to_do,
    )


def _mail_to_vendor(payment: Payment, key: str) -> Message:
    text = f"We have paid {payment['amount_cents'] / 100:.2f} for {payment['number']}."
    to = f"accounts@{payment['vendor']}.example"
    return Message(to=to, subject="Paid", text=text, key=key)


def _fail_if_cancelled(cancel: Any) -> None:
    if cancel.is_completed:
        reason = cancel_reason(cancel.result)
        why = f": {reason}" if reason else ""
        raise Failure(CANCELLED, f"the payment was cancelled{why}")


async def _require_approval(
    client: df.DurableOrchestrationClient, vendor: str, number: str, amount_cents: int
) -> None:
    """Check that the payment is within the limit, or that this amount was approved.

    The id of an approval contains vendor and number, so it allows no other payment. Raises
    Failure `approval_required`, or `not_configured`.
    """
    limit_cents = payment_limit_cents()
    if amount_cents <= limit_cents:
        return
    approval = await look_for(client, approval_id(vendor, number))
    decision = approval.output if approval and approval.state == "Completed" else {}
    if decision.get("outcome") == "approved" and decision["amount_cents"] == amount_cents:
        return
    if approval is None:
        why = "ask for it by POST /api/approvals"
    elif decision.get("outcome") == "approved":
        why = f"{approval.id} approves {decision['amount_cents'] / 100:.2f}"
    else:
        why = f"{approval.id} is {decision.get('outcome', approval.state)}"
    what = f"a payment of {amount_cents / 100:.2f} is over {limit_cents / 100:.2f}"
    raise Failure(APPROVAL_REQUIRED, f"{what} and needs an approval of this amount: {why}")
