"""The sandbox as one HTTP app: all parts, the faults before them, and a page that lists them."""

import html
from collections.abc import Callable
from datetime import UTC, datetime

from aiohttp import web

from sandbox.answers import Part, refusals_as_json
from sandbox.bank import Bank
from sandbox.closings import Closings
from sandbox.faults import Faults, place_name
from sandbox.mail import Mail
from sandbox.orders import Orders
from sandbox.rates import Rates
from sandbox.reader import Reader
from sandbox.tax import TaxOffice

MAX_BODY = 16 * 1024 * 1024


def _now() -> datetime:
    return datetime.now(UTC)


def create_app(
    *, now: Callable[[], datetime] = _now, settle_after: float = 5.0, key: str = ""
) -> web.Application:
    """One sandbox, in memory. A transfer takes `settle_after` seconds.

    With a key, every path begins with it, and nobody is answered who does not know it.
    """
    prefix = f"/{key}" if key else ""
    faults = Faults(prefix)
    orders = Orders(now)
    parts: list[Part] = [
        Bank(now, settle_after),
        Reader(),
        TaxOffice(now),
        Rates(now),
        Mail(now),
        orders,
        Closings(orders, now),
    ]
    routes = [route for part in parts for route in part.routes()]
    faults.places = {place_name(route.path) for route in routes}

    async def reset(_: web.Request) -> web.Response:
        """Delete everything, faults included."""
        for part in (*parts, faults):
            part.reset()
        return web.json_response({})

    routes += [*faults.routes(), web.post("/reset", reset)]
    # Refusals become answers on both sides of the faults: the answer that is lost may be one.
    middlewares = [refusals_as_json, faults.middleware, refusals_as_json]
    app = web.Application(middlewares=middlewares, client_max_size=MAX_BODY)
    page = _page(routes)

    async def home(_: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html")

    app.add_routes([*routes, web.get("/", home)])
    if not key:
        return app
    outer = web.Application(client_max_size=MAX_BODY)
    outer.add_subapp(prefix, app)
    return outer


def _page(routes: list[web.RouteDef]) -> str:
    rows = "".join(
        f"<tr><td>{route.method}<td><code>{html.escape(route.path)}</code>"
        f"<td>{html.escape((route.handler.__doc__ or '').strip())}"
        for route in routes
    )
    return (
        "<!doctype html><meta charset=utf-8><title>sandbox</title>"
        "<style>body{font:15px sans-serif;margin:2em}td{padding:.2em 1em .2em 0}</style>"
        "<h1>The outside world</h1><p>In memory, for running and testing only: docs/sandbox.md"
        f"<table>{rows}</table>"
    )
