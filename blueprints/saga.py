"""Saga: pay an invoice in steps; if a step fails, undo the steps before it.

POST /api/payments starts the payment of an invoice. Returns 202; repeating the request returns 200
or 202, and 409 if the amount differs. Returns 409 `approval_required` for a payment above the limit
that nobody approved. A payment ends paid, or failed and undone, or `needs_a_person`.
"""

import logging
from collections.abc import Generator
from typing import Any, Final, Literal, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import limits
from activities.ids import IdPart, approval_id, payment_id
from activities.messages import PAYABLES, Message, send_message
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
from orchestration.compensation import Saga
from orchestration.failures import Failed, Failure, failure_of
from orchestration.retrying import call_with_retry

STEPS: Final = 5  # check, debit, credit, post, notify
APPROVAL_REQUIRED: Final = "approval_required"

bp = df.Blueprint()
log = logging.getLogger(__name__)


class PaymentBody(Body):
    """An invoice to be paid."""

    vendor: IdPart
    number: IdPart
    amount_cents: int = Field(gt=0, le=limits.CENTS.most)


class Payment(TypedDict):
    """What a payment is started with."""

    vendor: str
    number: str
    amount_cents: int


class Paid(TypedDict):
    """A payment that is whole. Where the vendor could not be told, `notice` says why."""

    outcome: Literal["paid"]
    debit: str
    credit: str
    posting: str
    notice: str | Failed


class Unfinished(TypedDict):
    """A payment that is neither whole nor undone; the steps named in `standing` were not undone."""

    outcome: Literal["needs_a_person"]
    because: Failed
    undoing: Failed
    standing: list[str]
    what_to_do: str


@bp.route(route="payments", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_invoice_payment(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the payment of the invoice in the body, once."""
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
    """Fail if the payment needs an approval and has none. Only looks, so may run twice."""
    await _require_approval(client, order["vendor"], order["number"], order["amount_cents"])


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("ends_itself", left="money that was moved stays moved: see the bank's ledger")
def invoice_payment(
    context: df.DurableOrchestrationContext,
) -> Generator[Any, Any, Paid | Unfinished]:
    """Debit, credit, post and notify; or undo what was done, and fail with the reason."""
    payment = cast(Payment, context.get_input())
    saga = Saga(context)
    try:
        return (yield from _pay(context, payment, saga))
    except Exception as error:  # whatever it was, money may have moved
        failure = failure_of(error)
    if not context.is_replaying:
        log.info("%s: failed (%s), undoing %d steps", context.instance_id, failure, len(saga.undos))
    undoing = yield from saga.undo_all()
    if undoing is None:
        context.set_custom_status({"step": "undone", "done": 0, "of": STEPS})
        raise failure
    return (yield from _hand_over(context, saga, failure, undoing))


def _pay(
    context: df.DurableOrchestrationContext, payment: Payment, saga: Saga
) -> Generator[Any, Any, Paid]:
    def order(step: str) -> PaymentOrder:
        return PaymentOrder(payment=context.instance_id, key=saga.key(step), **payment)

    context.set_custom_status({"step": "checking", "done": 0, "of": STEPS})
    cancel = yield from _check(context, order("check"))

    context.set_custom_status({"step": "debiting", "done": 1, "of": STEPS})
    debit = yield from saga.do("debit", debit_account, order("debit"), reverse_debit)
    _stop_if_asked(cancel)

    context.set_custom_status({"step": "crediting", "done": 2, "of": STEPS})
    credit = yield from saga.do("credit", credit_vendor, order("credit"), reverse_credit)
    _stop_if_asked(cancel)

    context.set_custom_status({"step": "posting", "done": 3, "of": STEPS})
    posting = yield from saga.do("posting", post_payment, order("posting"), reverse_payment)

    context.set_custom_status({"step": "notifying", "done": 4, "of": STEPS})
    text = f"We have paid {payment['amount_cents'] / 100:.2f} for {payment['number']}."
    to = f"accounts@{payment['vendor']}.example"
    notice = yield from _tell(context, to, "Paid", text, saga.key("notice"))

    context.set_custom_status({"step": "paid", "done": 5, "of": STEPS})
    return Paid(
        outcome="paid", debit=debit["id"], credit=credit["id"], posting=posting["id"], notice=notice
    )


def _check(
    context: df.DurableOrchestrationContext, order: PaymentOrder
) -> Generator[Any, Any, Any]:
    """Check that the payment may be made. Returns the wait for a cancel, which stays open."""
    cancel: Any = context.wait_for_external_event(CANCEL_EVENT)
    # A task receives its event only after it was yielded; it goes on waiting if it loses a race.
    yield context.task_any([cancel, context.create_timer(context.current_utc_datetime)])
    yield from call_with_retry(context, check_not_paid_yet, order)
    yield from call_with_retry(context, check_payment_approval, order)
    _stop_if_asked(cancel)
    return cancel


async def _require_approval(
    client: df.DurableOrchestrationClient, vendor: str, number: str, amount_cents: int
) -> None:
    """Check that the payment is within the limit, or that exactly this payment was approved.

    Its approval has the vendor and the number in its id, so it allows no other payment. Raises
    Failure `approval_required`, or `not_configured`.
    """
    limit_cents = payment_limit_cents()
    if amount_cents <= limit_cents:
        return
    approval = await look_for(client, approval_id(vendor, number))
    said = approval.output if approval and approval.state == "Completed" else {}
    if said.get("outcome") == "approved" and said["amount_cents"] == amount_cents:
        return
    if approval is None:
        why = "ask for it by POST /api/approvals"
    elif said.get("outcome") == "approved":
        why = f"{approval.id} approves {said['amount_cents'] / 100:.2f}"
    else:
        why = f"{approval.id} is {said.get('outcome', approval.state)}"
    what = f"a payment of {amount_cents / 100:.2f} is over {limit_cents / 100:.2f}"
    raise Failure(APPROVAL_REQUIRED, f"{what} and needs an approval of this amount: {why}")


def _stop_if_asked(cancel: Any) -> None:
    if cancel.is_completed:
        reason = cancel_reason(cancel.result)
        why = f": {reason}" if reason else ""
        raise Failure("cancelled", f"the payment was cancelled{why}")


def _tell(
    context: df.DurableOrchestrationContext, to: str, subject: str, text: str, key: str
) -> Generator[Any, Any, str | Failed]:
    """Send a mail; its id, or why it was not sent. What was paid or not is not changed by it."""
    message = Message(to=to, subject=subject, text=text, key=key)
    try:
        return (yield from call_with_retry(context, send_message, message))
    except Failure as failure:
        return failure.as_data()


def _hand_over(
    context: df.DurableOrchestrationContext, saga: Saga, failure: Failure, undoing: Failure
) -> Generator[Any, Any, Unfinished]:
    """End where a person has to go on, and tell them."""
    standing = [undo.step for undo in saga.undos]
    what_to_do = (
        f"Undo at the bank and in the books what stands of {context.instance_id}, in this order: "
        f"{', '.join(reversed(standing))}. Then delete this operation, and pay again if it is due."
    )
    text = f"{failure.message}; then {standing[-1]} was not undone: {undoing.message}. {what_to_do}"
    subject = f"Payment {context.instance_id} needs a person"
    yield from _tell(context, PAYABLES, subject[:200], text, saga.key("handover"))
    context.set_custom_status(
        {"step": "needs a person", "done": len(standing), "of": STEPS, "what_to_do": what_to_do}
    )
    return Unfinished(
        outcome="needs_a_person",
        because=failure.as_data(),
        undoing=undoing.as_data(),
        standing=standing,
        what_to_do=what_to_do,
    )
