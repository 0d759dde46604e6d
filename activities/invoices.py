"""Invoices of vendors."""

from typing import Final, TypedDict

import azure.durable_functions as df

from orchestration.failures import Failure

CURRENCIES: Final = frozenset({"EUR", "USD", "GBP", "CHF", "JPY", "SEK"})

bp = df.Blueprint()


class Invoice(TypedDict):
    """One invoice; amounts are in the smallest unit of its currency."""

    vendor: str
    number: str
    order: str
    amount_cents: int
    currency: str


@bp.activity_trigger(input_name="invoice")
def validate_invoice(invoice: Invoice) -> Invoice:
    """Return the invoice if its currency is known. Changes nothing, so it may run twice."""
    if invoice["currency"] not in CURRENCIES:
        known = ", ".join(sorted(CURRENCIES))
        raise Failure(
            "currency_unknown", f"currency {invoice['currency']} is unknown: use one of {known}"
        )
    return invoice
