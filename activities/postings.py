"""Postings in the books."""

from typing import TypedDict

import azure.durable_functions as df

from activities.invoices import Invoice
from activities.outside import ask

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
