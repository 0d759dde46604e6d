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


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (an_order("another"), "already_posted"),
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
