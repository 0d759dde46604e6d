"""Exchange rates from partners, each with its own rates and its own failures."""

import math
from datetime import timedelta
from typing import Final, TypedDict

import azure.durable_functions as df

from activities.outside import ask
from orchestration.failures import Failure

# The orchestrator cannot stop the activity, so the activity limits itself.
ANSWER_WITHIN: Final = timedelta(seconds=10)

bp = df.Blueprint()


class RateOrder(TypedDict):
    """A currency and a day."""

    currency: str
    date: str


class PartnerOrder(RateOrder):
    """An order to one partner."""

    partner: str


class Rate(TypedDict):
    """The price of one euro in a currency, and the partner it is from."""

    currency: str
    per_euro: float
    partner: str


@bp.activity_trigger(input_name="order")
async def ask_for_rate(order: PartnerOrder) -> Rate:
    """Return the rate that a partner has. Reads only, so it may run twice, even in parallel."""
    partner, currency = order["partner"], order["currency"]
    query = {"date": order["date"]}
    found = await ask(partner, "GET", f"/{currency}", query=query, within=ANSWER_WITHIN)
    rate = found.get("per_euro") if isinstance(found, dict) else None
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < math.inf:
        message = f"the answer of {partner} has no valid rate for {currency}"
        raise Failure(f"{partner}_unavailable", message, retriable=True)
    return Rate(currency=currency, per_euro=rate, partner=partner)
