"""The tax office: asks for patience with 202 before it says whether a VAT number is valid."""

import re
from typing import Annotated

from aiohttp import web
from pydantic import Field

from sandbox.answers import Body, Refused, body

_VAT_ID = re.compile(r"[A-Z]{2}[0-9]{8,12}")


class Check(Body):
    vat_id: Annotated[str, Field(min_length=1, max_length=20)]


class Office(Body):
    """How the office works: whom it lets in, and how long it takes."""

    token: str | None = None
    ready_after_looks: Annotated[int, Field(ge=0)] = 2
    retry_after: Annotated[int, Field(ge=0)] = 2


class TaxOffice:
    """Checks that are ready once somebody has looked often enough."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._office = Office()
        self._checks: list[str] = []
        self._looks: dict[int, int] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/tax/checks", self.ask),
            web.get("/tax/checks/{id}", self.look),
            web.put("/tax/office", self.change),
        ]

    async def ask(self, request: web.Request) -> web.Response:
        """Ask for a check of `vat_id`; the answer comes at Location."""
        self._let_in(request)
        self._checks.append((await body(request, Check)).vat_id)
        return self._patience(request, len(self._checks))

    async def look(self, request: web.Request) -> web.Response:
        """202 while the check runs, then 200 with `valid`."""
        self._let_in(request)
        name = request.match_info["id"]
        number = int(name) if re.fullmatch(r"[0-9]{1,9}", name) else 0
        if not 0 < number <= len(self._checks):
            raise Refused(404, "check_unknown", f"there is no check {name}")
        self._looks[number] = self._looks.get(number, 0) + 1
        if self._looks[number] <= self._office.ready_after_looks:
            return self._patience(request, number)
        vat_id = self._checks[number - 1]
        # Numbers that end in 0 are made up, so that a test can have an invalid one.
        valid = _VAT_ID.fullmatch(vat_id) is not None and not vat_id.endswith("0")
        answer = {"id": str(number), "status": "done", "vat_id": vat_id, "valid": valid}
        return web.json_response(answer)

    async def change(self, request: web.Request) -> web.Response:
        """Ask for a bearer `token`, or change `ready_after_looks` and `retry_after`."""
        self._office = await body(request, Office)
        return web.json_response(self._office.model_dump())

    def _let_in(self, request: web.Request) -> None:
        token = self._office.token
        if token is not None and request.headers.get("Authorization") != f"Bearer {token}":
            raise Refused(401, "token_missing", "send Authorization: Bearer and the office's token")

    def _patience(self, request: web.Request, number: int) -> web.Response:
        location = str(request.url.with_path(f"/tax/checks/{number}"))
        headers = {"Location": location, "Retry-After": str(self._office.retry_after)}
        answer = {"id": str(number), "status": "running"}
        return web.json_response(answer, status=202, headers=headers)
