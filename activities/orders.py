"""Purchase orders, which invoices are matched with."""

from urllib.parse import quote

import azure.durable_functions as df

from activities.invoices import Invoice
from activities.outside import ask
from orchestration.failures import Failure

bp = df.Blueprint()


class MatchedInvoice(Invoice):
    """An invoice, and the amount of its order."""

    ordered_cents: int


@bp.activity_trigger(input_name="invoice")
async def match_order(invoice: Invoice) -> MatchedInvoice:
    """Return the invoice with the amount of its order. Reads only, so it may run twice."""
    order = await ask("orders", "GET", f"/{quote(invoice['order'], safe='')}")
    name = f"order {invoice['order']}"
    if order["vendor"] != invoice["vendor"]:
        raise Failure("other_vendor", f"{name} belongs to another vendor than {invoice['vendor']}")
    if not order["open"]:
        raise Failure("order_closed", f"{name} is closed")
    if order["currency"] != invoice["currency"]:
        raise Failure(
            "other_currency", f"{name} is in {order['currency']}, not in {invoice['currency']}"
        )
    if invoice["amount_cents"] > order["amount_cents"]:
        raise Failure("over_order", f"{name} is over {order['amount_cents'] / 100:.2f} only")
    return MatchedInvoice(**invoice, ordered_cents=order["amount_cents"])
