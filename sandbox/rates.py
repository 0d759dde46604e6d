"""Two partners for exchange rates. Create faults to make them fail."""

from collections.abc import Callable, Mapping
from datetime import date, datetime

from aiohttp import web

from sandbox.answers import Refused

RATES = {"EUR": 1.0, "USD": 1.0842, "GBP": 0.8365, "CHF": 0.9412, "JPY": 164.27, "SEK": 11.482}
PUBLISHED = {"EUR": 1.0, "USD": 1.08, "GBP": 0.84, "CHF": 0.94, "JPY": 164.0, "NOK": 11.7}


class Rates:
    """The rates of the dealer and of the central bank, per euro."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now

    def reset(self) -> None:
        """Do nothing: there is no state."""

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/rates/{currency}", self.show),
            web.get("/centralbank/{currency}", self.show_published),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """Show the dealer's rate of a currency, today or on an earlier `date`."""
        return self._rate(request, RATES)

    async def show_published(self, request: web.Request) -> web.Response:
        """Show the central bank's rate. It knows other currencies than the dealer."""
        return self._rate(request, PUBLISHED)

    def _rate(self, request: web.Request, rates: Mapping[str, float]) -> web.Response:
        currency = request.match_info["currency"]
        if currency not in rates:
            raise Refused(404, "currency_unknown", f"{currency} is none of {', '.join(rates)}")
        day = request.query.get("date")
        if day is not None and _day(day) > self._now().date():
            raise Refused(404, "no_rate_yet", f"there is no rate of {day} yet")
        return web.json_response({"currency": currency, "per_euro": rates[currency]})


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Refused(400, "bad_request", f"date: {text} is none such as 2026-01-31") from error
