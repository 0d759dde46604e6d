"""Month-end closings: the vendors with postings in a month, and which of them are closed."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from sandbox.answers import Answers, Body, Refused, body
from sandbox.orders import Orders, Text

MOST_VENDORS = 1000  # an answer

Month = Annotated[str, Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]
Sum = Annotated[int, Field(ge=0, le=10**15)]


class Closing(Body):
    month: Month
    vendor: Text
    invoice_cents: Sum
    payment_cents: Sum


class Closings:
    """Closes each vendor's month once, with the sums of its postings at that time."""

    def __init__(self, orders: Orders, now: Callable[[], datetime]) -> None:
        self._orders = orders
        self._now = now
        self.reset()

    def reset(self) -> None:
        self._answers = Answers()
        self._closings: dict[tuple[str, str], dict[str, Any]] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/postings/vendors", self.show_vendors),
            web.post("/postings/closings", self.close),
            web.get("/postings/closings", self.show_closings),
        ]

    async def show_vendors(self, request: web.Request) -> web.Response:
        """List the vendors whose `month` is open, in order, `after` one and `through` another."""
        wanted = request.query
        month, after, through = (wanted.get(name, "") for name in ("month", "after", "through"))
        top = wanted.get("top", str(MOST_VENDORS))
        if not (top.isascii() and top.isdigit() and 0 < int(top[:9]) <= MOST_VENDORS):
            raise Refused(400, "bad_request", f"top: a number from 1 to {MOST_VENDORS}")
        vendors = {posting["vendor"] for posting in self._orders.of_month(month)}
        open_ones = sorted(each for each in vendors if (month, each) not in self._closings)
        found = [each for each in open_ones if each > after and (not through or each <= through)]
        closed = sum(1 for closed_month, _ in self._closings if closed_month == month)
        shown = found[: int(top)]
        answer = {"vendors": shown, "more": len(found) > len(shown), "closed": closed}
        return web.json_response(answer)

    async def close(self, request: web.Request) -> web.Response:
        """Close a vendor's month. It accepts no more postings."""
        closing = await body(request, Closing)
        return await self._answers.once(request, lambda key: self._close(closing, key))

    async def show_closings(self, request: web.Request) -> web.Response:
        """List all closings, or those of one `month` or `vendor`."""
        wanted = {n: v for n, v in request.query.items() if n in ("month", "vendor")}
        found = [
            closing
            for closing in self._closings.values()
            if all(closing[name] == value for name, value in wanted.items())
        ]
        return web.json_response({"closings": found})

    def _close(self, closing: Closing, key: str) -> dict[str, Any]:
        which = (closing.month, closing.vendor)
        if known := self._closings.get(which):
            message = f"{closing.month} of {closing.vendor} is {known['id']}"
            raise Refused(409, "already_closed", message)
        sums: Counter[str] = Counter()
        for posting in self._orders.of_month(closing.month):
            if posting["vendor"] == closing.vendor:
                sums[posting["kind"]] += posting["amount_cents"]
        if (sums["invoice"], sums["payment"]) != (closing.invoice_cents, closing.payment_cents):
            message = f"{closing.vendor} has other sums in {closing.month} by now: add up again"
            raise Refused(409, "sums_changed", message)
        written = {
            "id": f"closing-{len(self._closings) + 1}",
            "time": self._now().isoformat(),
            "key": key,
            **closing.model_dump(),
        }
        self._closings[which] = written
        self._orders.closed.add(which)
        return written
