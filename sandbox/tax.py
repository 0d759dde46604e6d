"""The tax office: answers 202 until it knows whether a VAT number is valid."""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Annotated

from aiohttp import web
from pydantic import Field

from sandbox.answers import KEY_HEADER, Body, Refused, body

TICKET_SECONDS = 60

_VAT_ID = re.compile(r"[A-Z]{2}[0-9]{8,12}")


class Check(Body):
    vat_id: Annotated[str, Field(min_length=1, max_length=20)]


class Office(Body):
    """How the office works: the token it requires, how long it takes, and what its answers say."""

    token: str | None = None
    ready_after_looks: Annotated[int, Field(ge=0)] = 2
    retry_after: Annotated[int, Field(ge=0)] | str | None = 2
    retry_after_as_date: bool = False
    location: str | None = "{origin}/tax/checks/{id}"
    answer: str | None = None  # the text to send instead of an answer, be it JSON or not


@dataclass(frozen=True)
class Ticket:
    """A ticket for one request about one number."""

    vat_id: str
    until: datetime


class TaxOffice:
    """Checks that are ready after some requests for their result."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.reset()

    def reset(self) -> None:
        self._office = Office()
        self._checks: list[str] = []
        self._looks: dict[int, int] = {}
        self._numbers: dict[str, int] = {}
        self._tickets: dict[str, Ticket] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/tax/tickets", self.give_ticket),
            web.post("/tax/checks", self.ask),
            web.get("/tax/checks", self.list_checks),
            web.get("/tax/checks/{id}", self.look),
            web.put("/tax/office", self.change),
        ]

    async def give_ticket(self, request: web.Request) -> web.Response:
        """Return a ticket: a bearer token for one request about `vat_id`."""
        check = await body(request, Check)
        if not self._has_token(request):
            raise Refused(401, "token_missing", "send Authorization: Bearer and the office's token")
        ticket = f"ticket-{secrets.token_hex(16)}"
        until = self._now() + timedelta(seconds=TICKET_SECONDS)
        self._tickets[ticket] = Ticket(check.vat_id, until)
        answer = {"ticket": ticket, "expires_in": TICKET_SECONDS}
        return web.json_response(answer, status=201)

    async def ask(self, request: web.Request) -> web.Response:
        """Request a check of `vat_id`, once per key if there is one. Location has the result.

        The key may be left out: whoever asks again then has another check.
        """
        vat_id = (await body(request, Check)).vat_id
        self._let_in(request, vat_id)
        key = request.headers.get(KEY_HEADER)
        number = self._numbers.get(key) if key else None
        if number is None:
            self._checks.append(vat_id)
            number = len(self._checks)
            if key:
                self._numbers[key] = number
        elif self._checks[number - 1] != vat_id:
            message = f"the key {key} was sent before with another request"
            raise Refused(422, "idempotency_key_reused", message)
        return self._patience(request, number)

    async def list_checks(self, _: web.Request) -> web.Response:
        """List the numbers of all checks, in order."""
        return web.json_response({"checks": self._checks})

    async def look(self, request: web.Request) -> web.Response:
        """Return 202 while the check runs, then 200 with `valid`."""
        name = request.match_info["id"]
        number = int(name) if re.fullmatch(r"[0-9]{1,9}", name) else 0
        vat_id = self._checks[number - 1] if 0 < number <= len(self._checks) else None
        self._let_in(request, vat_id)
        if vat_id is None:
            raise Refused(404, "check_unknown", f"there is no check {name}")
        self._looks[number] = self._looks.get(number, 0) + 1
        if self._looks[number] <= self._office.ready_after_looks:
            return self._patience(request, number)
        if self._office.answer is not None:
            return web.Response(text=self._office.answer)
        # Numbers that end in 0 are made up, so that a test can have an invalid one.
        valid = _VAT_ID.fullmatch(vat_id) is not None and not vat_id.endswith("0")
        answer = {"id": str(number), "status": "done", "vat_id": vat_id, "valid": valid}
        return web.json_response(answer)

    async def change(self, request: web.Request) -> web.Response:
        """Require a bearer `token`, or change the answers and their delay."""
        self._office = await body(request, Office)
        return web.json_response(self._office.model_dump())

    def _has_token(self, request: web.Request) -> bool:
        token = self._office.token
        return token is None or request.headers.get("Authorization") == f"Bearer {token}"

    def _let_in(self, request: web.Request, vat_id: str | None) -> None:
        """Accept the token, or a ticket for this number, which is then used up."""
        if self._has_token(request):
            return
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        ticket = self._tickets.pop(shown, None)
        if ticket is None or ticket.vat_id != vat_id or ticket.until < self._now():
            message = "send Authorization: Bearer and the office's token, or a fresh ticket"
            raise Refused(401, "token_missing", message)

    def _patience(self, request: web.Request, number: int) -> web.Response:
        office, headers = self._office, {}
        if office.location is not None:
            origin = _origin_of(request)
            headers["Location"] = office.location.format(origin=origin, id=number)
        if isinstance(office.retry_after, int) and office.retry_after_as_date:
            when = self._now() + timedelta(seconds=office.retry_after)
            headers["Retry-After"] = format_datetime(when, usegmt=True)
        elif office.retry_after is not None:
            headers["Retry-After"] = str(office.retry_after)
        answer = {"id": str(number), "status": "running"}
        return web.json_response(answer, status=202, headers=headers)


def _origin_of(request: web.Request) -> str:
    """Where callers reach the sandbox: App Service ends TLS before it, a path may have a key."""
    scheme = request.headers.get("X-Forwarded-Proto", request.scheme)
    return f"{scheme}://{request.host}{request.path.partition('/tax/')[0]}"
