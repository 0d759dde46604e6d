"""An invoice is validated before it is matched with its order."""

import pytest

from activities.invoices import Invoice, validate_invoice
from orchestration.failures import Failure


def an_invoice(amount_cents: int = 12_500, currency: str = "EUR") -> Invoice:
    return Invoice(
        vendor="acme", number="INV-1", order="PO-1", amount_cents=amount_cents, currency=currency
    )


def test_an_ordinary_invoice_passes_unchanged() -> None:
    assert validate_invoice(an_invoice()) == an_invoice()


def test_a_currency_that_the_books_do_not_know_is_refused() -> None:
    with pytest.raises(Failure, match="use one of CHF, EUR") as caught:
        validate_invoice(an_invoice(currency="XXX"))

    assert caught.value.code == "currency_unknown"
