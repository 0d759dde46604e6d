"""An invoice is taken in without a person only if it is an ordinary one."""

import pytest

from activities.invoices import Invoice, validate_invoice
from orchestration.failures import Failure


def an_invoice(amount_cents: int = 12_500, currency: str = "EUR") -> Invoice:
    return Invoice(
        vendor="acme", number="INV-1", order="PO-1", amount_cents=amount_cents, currency=currency
    )


def test_an_ordinary_invoice_passes_unchanged() -> None:
    assert validate_invoice(an_invoice()) == an_invoice()


@pytest.mark.parametrize(
    ("limit", "amount_cents", "passes"),
    [(None, 5_000_000, True), (None, 5_000_001, False), ("100", 100, True), ("100", 101, False)],
)
def test_the_limit_is_a_setting(
    monkeypatch: pytest.MonkeyPatch, limit: str | None, amount_cents: int, passes: bool
) -> None:
    if limit:
        monkeypatch.setenv("INTAKE_LIMIT_CENTS", limit)
    if passes:
        assert validate_invoice(an_invoice(amount_cents))
        return

    with pytest.raises(Failure) as caught:
        validate_invoice(an_invoice(amount_cents))

    assert (caught.value.code, caught.value.retriable) == ("over_limit", False)


def test_a_currency_that_the_books_do_not_know_is_refused() -> None:
    with pytest.raises(Failure, match="use one of CHF, EUR") as caught:
        validate_invoice(an_invoice(currency="XXX"))

    assert caught.value.code == "currency_unknown"
