"""Postings in the books."""

from typing import Any, TypedDict

import azure.durable_functions as df

from activities.invoices import Invoice
from activities.outside import ask
from activities.payments import PaymentOrder
from orchestration.failures import Failure

bp = df.Blueprint()


class PostingOrder(TypedDict):
    """An invoice to post, and the idempotency key of the posting."""

    invoice: Invoice
    key: str


class Posting(TypedDict):
    """A posting in the books."""

    id: str
    amount_cents: int


@bp.activity_trigger(input_name="order")
async def post_invoice(order: PostingOrder) -> Posting:
    """Post an invoice, or return its posting if the books have it already.

    The books keep one posting for each key, so an activity that runs twice posts once. A retry of
    the whole instance has another key: it finds the posting that an earlier run made.
    """
    invoice = order["invoice"]
    document = {
        "kind": "invoice",
        "vendor": invoice["vendor"],
        "number": invoice["number"],
        "amount_cents": invoice["amount_cents"],
        "order": invoice["order"],
    }
    try:
        posted: Any = await ask("postings", "POST", json=document, key=order["key"])
    except Failure as failure:
        if failure.code != "already_posted":
            raise
        same = await _standing_postings(document)
        if not same:
            raise
        posted = same[0]
    return Posting(id=posted["id"], amount_cents=posted["amount_cents"])


@bp.activity_trigger(input_name="order")
async def post_payment(order: PaymentOrder) -> Posting:
    """Post a payment. The books keep one posting for each key, so running twice posts once."""
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
    """Reverse the posting of this order, if there is one. The books do it once.

    They refuse its key from then on: a posting whose request is still on its way is not made.
    """
    await ask("postings", "POST", "/reversal", json={"key": order["key"]})


async def _standing_postings(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The postings of exactly this document that were not reversed: one at most."""
    query = {name: document[name] for name in ("kind", "vendor", "number")}
    found: dict[str, Any] = await ask("postings", "GET", query=query)
    return [
        posting
        for posting in found["postings"]
        if not posting["reversed"] and all(posting[name] == document[name] for name in document)
    ]
