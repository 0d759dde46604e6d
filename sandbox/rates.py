"""The partner for exchange rates; what makes it interesting is `POST /faults`."""

from aiohttp import web

from sandbox.answers import Refused

RATES = {"EUR": 1.0, "USD": 1.0842, "GBP": 0.8365, "CHF": 0.9412, "JPY": 164.27, "SEK": 11.482}


class Rates:
    """How much of each currency one euro buys."""

    def reset(self) -> None:
        """There is nothing to forget."""

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/rates/{currency}", self.show)]

    async def show(self, request: web.Request) -> web.Response:
        """What one euro buys of a currency."""
        currency = request.match_info["currency"]
        if currency not in RATES:
            raise Refused(404, "currency_unknown", f"{currency} is none of {', '.join(RATES)}")
        return web.json_response({"currency": currency, "per_euro": RATES[currency]})
