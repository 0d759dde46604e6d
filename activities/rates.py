"""Exchange rates, from partners of whom each has its own and none is always there."""

import math
from datetime import timedelta
from typing import Final, TypedDict

import azure.durable_functions as df

from activities.outside import ask
from orchestration.failures import Failure

# How long the activity itself waits: what called it cannot stop it.
ANSWER_WITHIN: Final = timedelta(seconds=10)

bp = df.Blueprint()


class RateOrder(TypedDict):
    """Which currency, on which day."""

    currency: str
    date: str


class PartnerOrder(RateOrder):
    """Whom to ask for it."""

    partner: str


class Rate(TypedDict):
    """What one euro buys of a currency, and who says so."""

    currency: str
    per_euro: float
    partner: str


@bp.activity_trigger(input_name="order")
async def ask_for_rate(order: PartnerOrder) -> Rate:
    """Return the rate a partner has for a currency. Only looks, so may run twice, at once too."""
    partner, currency = order["partner"], order["currency"]
    query = {"date": order["date"]}
    found = await ask(partner, "GET", f"/{currency}", query=query, within=ANSWER_WITHIN)
    rate = found.get("per_euro") if isinstance(found, dict) else None
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < math.inf:
        told = f"the {partner} gave no rate for {currency} that can be used"
        raise Failure(f"{partner}_unavailable", told, retriable=True)
    return Rate(currency=currency, per_euro=rate, partner=partner)
