"""Invoices, as vendors send them."""

from typing import Final, TypedDict

import azure.durable_functions as df

from activities.settings import number_setting
from orchestration import limits
from orchestration.failures import Failure

CURRENCIES: Final = frozenset({"EUR", "USD", "GBP", "CHF", "JPY", "SEK"})
LIMIT_CENTS: Final = 5_000_000  # unless the setting INTAKE_LIMIT_CENTS says otherwise

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
    """Return the invoice if it may be taken in without a person. Only looks, so may run twice."""
    if invoice["currency"] not in CURRENCIES:
        known = ", ".join(sorted(CURRENCIES))
        raise Failure(
            "currency_unknown", f"currency {invoice['currency']} is unknown: use one of {known}"
        )
    limit = number_setting("INTAKE_LIMIT_CENTS", LIMIT_CENTS, limits.CENTS.most)
    if invoice["amount_cents"] > limit:
        raise Failure(
            "over_limit",
            f"invoice {invoice['number']} is over {limit / 100:.2f}: ask for an approval first",
        )
    return invoice
