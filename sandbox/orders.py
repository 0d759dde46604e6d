"""The books of accounts payable: purchase orders and postings."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import Field

from sandbox.answers import Answers, Body, KeyToReverse, Refused, body

VENDORS = ("acme", "globex", "initech", "umbrella")
Text = Annotated[str, Field(min_length=1, max_length=100)]
Cents = Annotated[int, Field(gt=0, le=10**12)]


class Order(Body):
    vendor: Text
    amount_cents: Cents
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "EUR"
    open: bool = True


class Posting(Body):
    kind: Literal["invoice", "payment"]
    vendor: Text
    number: Text
    amount_cents: Cents
    order: Text | None = None
    day: Annotated[date | None, Field(strict=False)] = None  # today, unless it says otherwise


def seeded_orders() -> dict[str, Order]:
    """Return PO-1001 to PO-1020, of the vendors in turn. PO-1001 is acme's, 1250.00 euros."""
    return {
        f"PO-{1001 + n}": Order(vendor=VENDORS[n % 4], amount_cents=125_000 + 25_000 * n)
        for n in range(20)
    }


class Orders:
    """Orders by number, and one posting for each document."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.reset()

    def reset(self) -> None:
        self._answers = Answers()
        self._orders = seeded_orders()
        self._postings: dict[str, dict[str, Any]] = {}
        self.closed: set[tuple[str, str]] = set()  # months that take no more postings, by vendor
        self._standing: dict[tuple[str, str, str], str] = {}  # posting of each document

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/orders/{number}", self.show_order),
            web.put("/orders/{number}", self.put_order),
            web.post("/postings", self.post),
            web.get("/postings", self.show_postings),
            web.post("/postings/{id}/reversal", self.reverse),
            web.post("/postings/reversal", self.reverse_key),
        ]

    async def show_order(self, request: web.Request) -> web.Response:
        """Show a purchase order."""
        number = request.match_info["number"]
        if number not in self._orders:
            raise Refused(404, "order_unknown", f"there is no order {number}")
        return web.json_response({"number": number, **self._orders[number].model_dump()})

    async def put_order(self, request: web.Request) -> web.Response:
        """Create or change a purchase order."""
        self._orders[request.match_info["number"]] = await body(request, Order)
        return await self.show_order(request)

    async def post(self, request: web.Request) -> web.Response:
        """Post an invoice or a payment. Each document is posted once."""
        posting = await body(request, Posting)
        return await self._answers.once(request, lambda key: self._post(posting, key))

    async def reverse(self, request: web.Request) -> web.Response:
        """Reverse a posting. Its document can then be posted again."""
        posting = self._postings.get(request.match_info["id"])
        if posting is None:
            raise Refused(404, "posting_unknown", f"there is no posting {request.match_info['id']}")

        def work(key: str) -> dict[str, Any]:
            if posting["reversed"]:
                raise Refused(409, "already_reversed", f"{posting['id']} is reversed already")
            self._reverse(posting)
            return {"id": posting["id"], "reversed": True, "key": key}

        return await self._answers.once(request, work)

    async def reverse_key(self, request: web.Request) -> web.Response:
        """Reverse the posting with this key, and refuse it if it arrives later."""
        key = (await body(request, KeyToReverse)).key
        self._answers.bar(key)
        posting = next((each for each in self._postings.values() if each["key"] == key), None)
        if posting is not None and not posting["reversed"]:
            self._reverse(posting)
        return web.json_response({"posting": posting})

    def _reverse(self, posting: dict[str, Any]) -> None:
        posting["reversed"] = True
        del self._standing[posting["kind"], posting["vendor"], posting["number"]]

    async def show_postings(self, request: web.Request) -> web.Response:
        """List all postings, or those of a `vendor`, `number` or `kind`, or `posted` in a month."""
        wanted = {n: v for n, v in request.query.items() if n in ("vendor", "number", "kind")}
        found = [
            posting
            for posting in self._postings.values()
            if all(posting[name] == value for name, value in wanted.items())
            and posting["time"].startswith(request.query.get("posted", ""))
        ]
        return web.json_response({"postings": found})

    def of_month(self, month: str) -> list[dict[str, Any]]:
        """The postings of a month such as 2026-10 that were not reversed."""
        postings = self._postings.values()
        return [each for each in postings if each["day"][:7] == month and not each["reversed"]]

    def _post(self, posting: Posting, key: str) -> dict[str, Any]:
        document = (posting.kind, posting.vendor, posting.number)
        if known := self._standing.get(document):
            message = f"{posting.kind} {posting.number} of {posting.vendor} is {known}"
            raise Refused(409, "already_posted", message)
        time = self._now().isoformat()
        day = str(posting.day or time[:10])
        if (day[:7], posting.vendor) in self.closed:
            message = f"{day[:7]} of {posting.vendor} is closed: post it in another month"
            raise Refused(409, "month_closed", message)
        posting_id = f"posting-{len(self._postings) + 1}"
        written = {"id": posting_id, "time": time, "key": key, **posting.model_dump(), "day": day}
        self._postings[posting_id] = written | {"reversed": False}
        self._standing[document] = posting_id
        return written
