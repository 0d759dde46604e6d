"""An invoice matches its order, or a code says why not."""

from typing import Any

import pytest

from activities.invoices import Invoice
from activities.orders import match_order
from orchestration.failures import Failure
from tests.outside import Sandbox


def an_invoice(**changes: Any) -> Invoice:
    invoice = Invoice(
        vendor="acme", number="INV-1", order="PO-1001", amount_cents=12_500, currency="EUR"
    )
    return invoice | changes  # type: ignore[return-value]  # the changes are fields of its own


async def test_a_matching_invoice_tells_what_was_ordered(sandbox: Sandbox) -> None:
    assert await match_order(an_invoice()) == {**an_invoice(), "ordered_cents": 125_000}


async def test_the_whole_order_may_be_invoiced(sandbox: Sandbox) -> None:
    assert await match_order(an_invoice(amount_cents=125_000))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"order": "PO-1"}, "order_unknown"),
        ({"order": "../postings"}, "order_unknown"),
        ({"vendor": "globex"}, "other_vendor"),
        ({"currency": "USD"}, "other_currency"),
        ({"amount_cents": 125_001}, "over_order"),
    ],
)
async def test_an_invoice_that_does_not_match_its_order_fails_with_a_final_code(
    sandbox: Sandbox, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(Failure) as caught:
        await match_order(an_invoice(**changes))

    assert (caught.value.code, caught.value.retriable) == (code, False)
