"""Saga: pay an invoice by steps, each of which is taken back where a later one fails.

POST /api/payments starts one payment an invoice: 202; 200 or 202 with the same answer where it is
asked again; 409 where it was to be another amount. A payment ends paid; or failed, and wholly
undone; or, where it cannot be undone, in the hands of a person.
"""

from typing import Any, Final, Literal, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities.messages import PAYABLES, Message, send_message
from activities.payments import (
    PaymentOrder,
    check_not_paid_yet,
    credit_vendor,
    debit_account,
    reverse_credit,
    reverse_debit,
)
from activities.postings import post_payment, reverse_payment
from http_api.bodies import Body, read_body
from http_api.problems import answers_problems
from http_api.starting import start_once
from orchestration import limits
from orchestration.cancel_rules import on_cancel
from orchestration.compensation import Saga
from orchestration.events import CANCEL_EVENT, cancel_reason
from orchestration.failures import Failed, Failure, failure_of
from orchestration.ids import IdPart, payment_id
from orchestration.log import log_once
from orchestration.retrying import call_with_retry
from orchestration.showing import show_progress
from orchestration.steps import Steps

STEPS: Final = 5  # check, debit, credit, post, notify

bp = df.Blueprint()


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
    work = payment.model_dump(mode="json")
    return await start_once(req, client, "invoice_payment", instance_id, work)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("ends_itself", left="money that was moved stays moved: see the bank's ledger")
def invoice_payment(context: df.DurableOrchestrationContext) -> Steps[Paid | Unfinished]:
    """Debit, credit, post and notify; or undo what was done, and fail with the reason."""
    payment = cast(Payment, context.get_input())
    saga = Saga(context)
    try:
        return (yield from _pay(context, payment, saga))
    except Exception as error:  # whatever it was, money may have moved
        failure = failure_of(error)
    log_once(context, "failed (%s), undoing %d steps", failure, len(saga.undos))
    undoing = yield from saga.undo_all()
    if undoing is None:
        show_progress(context, "undone", 0, of=STEPS)
        raise failure
    return (yield from _hand_over(context, saga, failure, undoing))


def _pay(context: df.DurableOrchestrationContext, payment: Payment, saga: Saga) -> Steps[Paid]:
    def order(step: str) -> PaymentOrder:
        return PaymentOrder(payment=context.instance_id, key=saga.key(step), **payment)

    show_progress(context, "checking", 0, of=STEPS)
    cancel = yield from _check(context, order("check"))

    show_progress(context, "debiting", 1, of=STEPS)
    debit = yield from saga.do("debit", debit_account, order("debit"), reverse_debit)
    _stop_if_asked(cancel)

    show_progress(context, "crediting", 2, of=STEPS)
    credit = yield from saga.do("credit", credit_vendor, order("credit"), reverse_credit)
    _stop_if_asked(cancel)

    show_progress(context, "posting", 3, of=STEPS)
    posting = yield from saga.do("posting", post_payment, order("posting"), reverse_payment)

    show_progress(context, "notifying", 4, of=STEPS)
    text = f"We have paid {payment['amount_cents'] / 100:.2f} for {payment['number']}."
    to = f"accounts@{payment['vendor']}.example"
    notice = yield from _tell(context, to, "Paid", text, saga.key("notice"))

    show_progress(context, "paid", 5, of=STEPS)
    return Paid(
        outcome="paid", debit=debit["id"], credit=credit["id"], posting=posting["id"], notice=notice
    )


def _check(context: df.DurableOrchestrationContext, order: PaymentOrder) -> Steps[Any]:
    """See that nothing is paid yet; return the wait for a cancel, which stays open from here."""
    cancel: Any = context.wait_for_external_event(CANCEL_EVENT)
    # A task that was never yielded hears of nothing; the one that loses a race goes on hearing.
    yield context.task_any([cancel, context.create_timer(context.current_utc_datetime)])
    yield from call_with_retry(context, check_not_paid_yet, order)
    _stop_if_asked(cancel)
    return cancel


def _stop_if_asked(cancel: Any) -> None:
    if cancel.is_completed:
        reason = cancel_reason(cancel.result)
        why = f": {reason}" if reason else ""
        raise Failure("cancelled", f"the payment was cancelled{why}")


def _tell(
    context: df.DurableOrchestrationContext, to: str, subject: str, text: str, key: str
) -> Steps[str | Failed]:
    """Send a mail; its id, or why it was not sent. What was paid or not is not changed by it."""
    message = Message(to=to, subject=subject, text=text, key=key)
    try:
        return (yield from call_with_retry(context, send_message, message))
    except Failure as failure:
        return failure.as_data()


def _hand_over(
    context: df.DurableOrchestrationContext, saga: Saga, failure: Failure, undoing: Failure
) -> Steps[Unfinished]:
    """End where a person has to go on, and tell them."""
    standing = [undo.step for undo in saga.undos]
    what_to_do = (
        f"Undo at the bank and in the books what stands of {context.instance_id}, in this order: "
        f"{', '.join(reversed(standing))}. Then delete this operation, and pay again if it is due."
    )
    text = f"{failure.message}; then {standing[-1]} was not undone: {undoing.message}. {what_to_do}"
    subject = f"Payment {context.instance_id} needs a person"
    yield from _tell(context, PAYABLES, subject[:200], text, saga.key("handover"))
    show_progress(context, "needs a person", len(standing), of=STEPS, what_to_do=what_to_do)
    return Unfinished(
        outcome="needs_a_person",
        because=failure.as_data(),
        undoing=undoing.as_data(),
        standing=standing,
        what_to_do=what_to_do,
    )
