"""An invoice is posted once for each key."""

import pytest

from activities.invoices import Invoice
from activities.postings import PostingOrder, post_invoice
from orchestration.failures import Failure
from tests.outside import Sandbox


def an_order(key: str, amount_cents: int = 12_500) -> PostingOrder:
    invoice = Invoice(
        vendor="acme", number="INV-1", order="PO-1", amount_cents=amount_cents, currency="EUR"
    )
    return PostingOrder(invoice=invoice, key=key)


async def test_running_twice_posts_once(sandbox: Sandbox) -> None:
    first = await post_invoice(an_order("intake:acme:INV-1:post"))
    second = await post_invoice(an_order("intake:acme:INV-1:post"))

    assert first == second
    assert len(await sandbox.postings()) == 1


async def test_an_invoice_that_is_posted_under_another_key_is_returned(sandbox: Sandbox) -> None:
    first = await post_invoice(an_order("intake:acme:INV-1:first-run:post"))

    second = await post_invoice(an_order("intake:acme:INV-1:second-run:post"))

    assert second == first
    assert len(await sandbox.postings()) == 1


async def test_an_invoice_whose_posting_was_reversed_is_posted_again(sandbox: Sandbox) -> None:
    first = await post_invoice(an_order("first"))
    by_hand = {"Idempotency-Key": "by hand"}
    await sandbox.send("POST", f"/postings/{first['id']}/reversal", {}, by_hand)

    second = await post_invoice(an_order("second"))

    assert second["id"] != first["id"]
    assert [posting["reversed"] for posting in await sandbox.postings()] == [True, False]


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (an_order("another", amount_cents=1), "already_posted"),
        (an_order("intake:acme:INV-1:post", amount_cents=1), "idempotency_key_reused"),
    ],
)
async def test_an_invoice_cannot_be_posted_in_another_way(
    sandbox: Sandbox, order: PostingOrder, code: str
) -> None:
    await post_invoice(an_order("intake:acme:INV-1:post"))

    with pytest.raises(Failure) as caught:
        await post_invoice(order)

    assert (caught.value.code, caught.value.retriable) == (code, False)
    assert len(await sandbox.postings()) == 1
