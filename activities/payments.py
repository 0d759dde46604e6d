"""Payments at the bank: money moves from our account into suspense, and from there to the vendor.

An undo names the key of its step: the bank reverses what was done with this key, once, and refuses
the key from then on. To read the ledger first would not be enough: a request whose answer was lost
may still be on its way, and take effect after the look.
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
    """One step of a payment, and its idempotency key."""

    payment: str  # the bank stores it with each entry
    vendor: str
    number: str
    amount_cents: int
    key: str


class Entry(TypedDict):
    """An entry in the ledger of the bank."""

    id: str
    amount_cents: int


def payment_limit_cents() -> int:
    """The amount above which a payment needs an approval. Raises Failure `not_configured`."""
    return number_setting("PAYMENT_LIMIT_CENTS", LIMIT_CENTS, limits.CENTS.most)


@bp.activity_trigger(input_name="order")
async def check_not_paid_yet(order: PaymentOrder) -> None:
    """Fail if this payment has entries that were not reversed. Reads only, so it may run twice."""
    ledger = await ask("bank", "GET", "/ledger", query={"payment": order["payment"]})
    not_reversed = [
        entry["id"]
        for entry in ledger["entries"]
        if entry["kind"] != "reversal" and not entry["reversed_by"]
    ]
    if not_reversed:
        moved = f"money moved for {order['payment']} before, by {', '.join(not_reversed[:5])}"
        raise Failure("paid_before", f"{moved}: look at the bank's ledger")


@bp.activity_trigger(input_name="order")
async def debit_account(order: PaymentOrder) -> Entry:
    """Move the money from our account into suspense. The bank does it once for each key."""
    return await _move("debits", OPERATING, order)


@bp.activity_trigger(input_name="order")
async def reverse_debit(order: PaymentOrder) -> None:
    """Reverse the debit of this order, if there was one. The bank does it once."""
    await _reverse("debits", order)


@bp.activity_trigger(input_name="order")
async def credit_vendor(order: PaymentOrder) -> Entry:
    """Move the money from suspense to the vendor. The bank does it once for each key."""
    return await _move("credits", f"vendor:{order['vendor']}", order)


@bp.activity_trigger(input_name="order")
async def reverse_credit(order: PaymentOrder) -> None:
    """Reverse the credit of this order, if there was one. The bank does it once."""
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
