"""Payments at the bank: money leaves our account for suspense, and suspense for the vendor's.

An undo goes by the key of its step: the bank reverses what was done under it, once, and does
nothing under it from then on. To look whether there is anything to reverse would not do: a request
whose answer did not come may be on its way still, and done after the look.
"""

from typing import Any, Final, TypedDict

import azure.durable_functions as df

from activities import limits
from activities.outside import ask
from activities.settings import number_setting
from orchestration.failures import Failure

LIMIT_CENTS: Final = 5_000_000  # unless the setting PAYMENT_LIMIT_CENTS says otherwise
OPERATING: Final = "operating"  # the account that invoices are paid from

bp = df.Blueprint()


class PaymentOrder(TypedDict):
    """One step of a payment, and the key that makes it happen once."""

    payment: str  # the name under which the bank keeps all entries of a payment
    vendor: str
    number: str
    amount_cents: int
    key: str


class Entry(TypedDict):
    """Money that the bank moved."""

    id: str
    amount_cents: int


def payment_limit_cents() -> int:
    """The amount above which a payment needs an approval. Raises Failure `not_configured`."""
    return number_setting("PAYMENT_LIMIT_CENTS", LIMIT_CENTS, limits.CENTS.most)


@bp.activity_trigger(input_name="order")
async def check_not_paid_yet(order: PaymentOrder) -> None:
    """Fail if money moved for this payment already and stayed. Only looks, so may run twice."""
    ledger = await ask("bank", "GET", "/ledger", query={"payment": order["payment"]})
    standing = [
        entry["id"]
        for entry in ledger["entries"]
        if entry["kind"] != "reversal" and not entry["reversed_by"]
    ]
    if standing:
        moved = f"money moved for {order['payment']} before, by {', '.join(standing[:5])}"
        raise Failure("paid_before", f"{moved}: look at the bank's ledger")


@bp.activity_trigger(input_name="order")
async def debit_account(order: PaymentOrder) -> Entry:
    """Take the money from our account into suspense; the bank does it once a key."""
    return await _move("debits", OPERATING, order)


@bp.activity_trigger(input_name="order")
async def reverse_debit(order: PaymentOrder) -> None:
    """Give back what the debit of this order took, if it did; the bank does it once."""
    await _reverse("debits", order)


@bp.activity_trigger(input_name="order")
async def credit_vendor(order: PaymentOrder) -> Entry:
    """Give the money out of suspense to the vendor; the bank does it once a key."""
    return await _move("credits", f"vendor:{order['vendor']}", order)


@bp.activity_trigger(input_name="order")
async def reverse_credit(order: PaymentOrder) -> None:
    """Take back what the credit of this order gave, if it did; the bank does it once."""
    await _reverse("credits", order)


async def _move(kind: str, account: str, order: PaymentOrder) -> Entry:
    move = {
        "account": account,
        "amount_cents": order["amount_cents"],
        "payment": order["payment"],
    }
    entry: Any = await ask("bank", "POST", f"/{kind}", json=move, key=order["key"])
    return Entry(id=entry["id"], amount_cents=entry["amount_cents"])


async def _reverse(kind: str, order: PaymentOrder) -> None:
    await ask("bank", "POST", f"/{kind}/reversal", json={"key": order["key"]})
