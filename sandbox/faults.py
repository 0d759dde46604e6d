"""Faults: fail, lose the answer, be slow or be wrong; for the next N requests, or one in N."""

import asyncio
import random
import re
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field, model_validator

from sandbox.answers import Body, Handler, Refused, body, refusal

WRONG = ContextVar("WRONG", default=False)  # whether this request is to be answered wrongly
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class Fault(Body):
    """The kind of a fault, where it happens, and how often.

    `on` is a place such as `bank.debits`, or a whole part such as `bank`; `about` picks requests
    whose path or body holds that text, `method` those of one method.
    """

    on: str
    about: str = ""
    method: str = ""
    fail_next: Count | None = None
    lose_answer_next: Count | None = None
    wrong_next: Count | None = None
    one_in: Count | None = None
    what: Literal["fail", "lose_answer", "wrong"] = "fail"  # for one_in
    seed: int = 0
    slow_ms: Annotated[int, Field(ge=0, le=600_000)] = 0
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    retry_after: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _says_how_often(self) -> "Fault":
        ways = (self.fail_next, self.lose_answer_next, self.wrong_next, self.one_in)
        if sum(way is not None for way in ways) > 1 or not (any(ways) or self.slow_ms):
            raise ValueError(
                "say one of fail_next, lose_answer_next, wrong_next, one_in, or slow_ms"
            )
        return self


@dataclass
class Switched:
    """An active fault, and how often it still happens."""

    fault: Fault
    left: int | None
    dice: random.Random

    @classmethod
    def on(cls, fault: Fault) -> "Switched":
        left = fault.fail_next or fault.lose_answer_next or fault.wrong_next
        return cls(fault, left, random.Random(fault.seed))

    @property
    def what(self) -> str:
        if self.fault.lose_answer_next:
            return "lose_answer"
        if self.fault.wrong_next:
            return "wrong"
        return self.fault.what if self.fault.fail_next or self.fault.one_in else "slow"

    def concerns(self, place: str, request: web.Request, content: bytes) -> bool:
        fault = self.fault
        return (
            fault.on in (place, place.split(".")[0])
            and fault.method.upper() in ("", request.method)
            and (
                fault.about in f"{request.path}?{request.query_string}"
                or fault.about.encode() in content
            )
        )

    def happens(self) -> bool:
        """Decide whether the fault happens this time, and count it."""
        if self.fault.one_in is not None:
            return self.dice.randrange(self.fault.one_in) == 0
        if self.left is not None:
            self.left -= 1
        return True


class Faults:
    """The active faults, oldest first."""

    def __init__(self, prefix: str = "") -> None:
        """All paths of the sandbox begin with `prefix`."""
        self._prefix = prefix
        self.places: set[str] = set()
        self.reset()

    def reset(self) -> None:
        self._on: list[Switched] = []

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/faults", self.switch_on),
            web.get("/faults", self.show),
            web.delete("/faults", self.switch_off),
        ]

    async def switch_on(self, request: web.Request) -> web.Response:
        """Create a fault."""
        fault = await body(request, Fault)
        known = self.places | {place.split(".")[0] for place in self.places}
        if fault.on not in known:
            message = f"on: {fault.on} is none of {', '.join(sorted(known))}"
            raise Refused(400, "bad_request", message)
        if "wrong" in (Switched.on(fault).what, fault.what) and not fault.on.startswith("reader"):
            raise Refused(400, "bad_request", "only reader.documents can be wrong")
        self._on.append(Switched.on(fault))
        return self._shown(201)

    async def show(self, _: web.Request) -> web.Response:
        """List the faults."""
        return self._shown(200)

    async def switch_off(self, _: web.Request) -> web.Response:
        """Delete all faults."""
        self.reset()
        return self._shown(200)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Apply the faults to a request."""
        place = self._place_of(request)
        if place not in self.places or not self._on:
            return await handler(request)
        content = await request.read()
        concerned = [on for on in self._on if on.concerns(place, request, content)]
        happening = [on for on in concerned if on.happens()]
        self._on = [on for on in self._on if on.left != 0]
        await asyncio.sleep(sum(on.fault.slow_ms for on in happening) / 1000)
        first = next((on for on in happening if on.what != "slow"), None)
        if first is None:
            return await handler(request)
        return await self._go_wrong(first, request, handler)

    async def _go_wrong(
        self, on: Switched, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        fault = on.fault
        if on.what == "fail":
            failed = refusal(fault.status or 503, "out_of_order", "this was switched on at /faults")
            if fault.retry_after is not None:
                failed.headers["Retry-After"] = str(fault.retry_after)
            return failed
        before = WRONG.set(on.what == "wrong")
        try:
            answer = await handler(request)
        finally:
            WRONG.reset(before)
        if on.what == "lose_answer":
            if fault.status:
                return refusal(fault.status, "answer_lost", "it may or may not have been done")
            if request.transport is not None:
                request.transport.abort()
        return answer

    def _place_of(self, request: web.Request) -> str:
        """The dotted name of a path: bank.debits.reversal for /bank/debits/{id}/reversal."""
        resource = request.match_info.route.resource
        return place_name(resource.canonical.removeprefix(self._prefix)) if resource else ""

    def _shown(self, status: int) -> web.Response:
        faults = [on.fault.model_dump(exclude_defaults=True) for on in self._on]
        return web.json_response({"faults": faults}, status=status)


def place_name(path: str) -> str:
    return ".".join(part for part in path.split("/") if part and not re.match(r"\{", part))
