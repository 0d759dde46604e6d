"""Postings in the books."""

from typing import Any, TypedDict

import azure.durable_functions as df

from activities.invoices import Invoice
from activities.outside import ask
from activities.payments import PaymentOrder

bp = df.Blueprint()


class PostingOrder(TypedDict):
    """What to post, and the key that makes it one posting."""

    invoice: Invoice
    key: str


class Posting(TypedDict):
    """What was posted."""

    id: str
    amount_cents: int


@bp.activity_trigger(input_name="order")
async def post_invoice(order: PostingOrder) -> Posting:
    """Post an invoice; the books keep one posting a key, so running twice posts once."""
    invoice = order["invoice"]
    posted = await ask(
        "postings",
        "POST",
        json={
            "kind": "invoice",
            "vendor": invoice["vendor"],
            "number": invoice["number"],
            "amount_cents": invoice["amount_cents"],
            "order": invoice["order"],
        },
        key=order["key"],
    )
    return Posting(id=posted["id"], amount_cents=posted["amount_cents"])


@bp.activity_trigger(input_name="order")
async def post_payment(order: PaymentOrder) -> Posting:
    """Post a payment; the books keep one posting a key, so running twice posts once."""
    document = {
        "kind": "payment",
        "vendor": order["vendor"],
        "number": order["number"],
        "amount_cents": order["amount_cents"],
    }
    posted: Any = await ask("postings", "POST", json=document, key=order["key"])
    return Posting(id=posted["id"], amount_cents=posted["amount_cents"])


@bp.activity_trigger(input_name="order")
async def reverse_payment(order: PaymentOrder) -> None:
    """Take back the posting of this order, if there is one; the books do it once, and bar its key.

    So a request for the posting that is on its way still comes to nothing.
    """
    await ask("postings", "POST", "/reversal", json={"key": order["key"]})
