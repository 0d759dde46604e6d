"""Payments under fire.

The bank, the books and the mail fail, refuse, lose answers and do things late, accounts freeze and
thaw, callers cancel and retry, and durablehost is killed at random. Then the ledger is audited.
"""

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from orchestration import limits
from sandbox.app import create_app
from tests.bound_settings import bound_settings
from tests.chaos.book import Book
from tests.chaos.load import EXPECTED, Client, Door
from tests.chaos.payments_audit import BOOKS, HANDED_OVER, Findings, Order, audit
from tests.durablehost_process import Started, start
from tests.processes import PARTIES
from tests.source import copy_app

VENDORS: Final = (*("acme", "globex", "initech", "umbrella", "thawing") * 3, "frozen")
_MOVES: Final = ("bank.debits", "bank.credits")
_FAULTS: Final[tuple[dict[str, Any], ...]] = (
    *({"on": place, "one_in": 10} for place in ("bank.ledger", *_MOVES)),
    *({"on": place, "one_in": 10, "what": "lose_answer"} for place in _MOVES),
    {"on": "bank.credits", "one_in": 15, "status": 403},
    {"on": "bank.credits.reversal", "one_in": 5},
    {"on": "bank.debits.reversal", "one_in": 5, "what": "lose_answer"},
    {"on": "postings", "one_in": 8},
    {"on": "postings", "one_in": 8, "what": "lose_answer", "status": 500},
    {"on": "postings", "one_in": 20, "status": 403},
    {"on": "mail", "one_in": 6, "what": "lose_answer"},
)
_LATE_MS: Final = 3_000
_CALLERS: Final = 8
_CANCELLED: Final = 0.1  # of all payments
_RETRIED: Final = 0.2
_LIVES_SECONDS: Final = 1.5  # at most, from when durablehost is ready
_PATIENCE_SECONDS: Final = 180.0  # an undo that failed a while pauses for a minute

Say = Callable[[str], None]


class Fire:
    """Some payments, and all that happens to them."""

    def __init__(self, folder: Path, payments: int, kills: int, seed: int, say: Say) -> None:
        self._app = copy_app(folder / "app")
        self._hub = folder / "payments.db"
        self._kills = kills
        self._chance = random.Random(seed)
        self._say = say
        self._orders = [self._order(number) for number in range(payments)]
        self._waiting = iter(self._orders)
        self._due = asyncio.Semaphore(0)  # so that the payments are spread over all kills
        self._sent = 0
        self._replayed = 0

    def _order(self, number: int) -> Order:
        # a few are over what the company has
        amount = 2_000_000_00 if number % 40 == 39 else self._chance.randrange(1, 150_000)
        return Order(self._chance.choice(VENDORS), f"P-{number}", amount)

    async def run(self) -> Findings:
        """Pay, kill, mend, let all end, and audit."""
        world = create_app()
        world.on_response_prepare.append(self._count_replayed)
        timeout = aiohttp.ClientTimeout(total=_PATIENCE_SECONDS)
        connector = aiohttp.TCPConnector(force_close=True)
        async with (
            _served(world) as world_url,
            aiohttp.ClientSession(world_url) as outside,
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
        ):
            await self._set_fire(outside)
            door = Door()
            client = Client(session, door, Book(), {*EXPECTED, 409})
            calling = [asyncio.create_task(self._call(client)) for _ in range(_CALLERS)]
            freezing = asyncio.create_task(self._freeze_and_thaw(outside))
            await self._kill_often(world_url, door)
            durablehost = await self._start(world_url)
            try:
                door.open(durablehost.base)
                self._let_send(len(self._orders))
                await asyncio.gather(*calling)
                freezing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await freezing
                await self._put_out(outside)
                operations = await self._let_all_end(client)
            finally:
                await asyncio.to_thread(durablehost.stop, signal.SIGTERM)
            found = audit(self._orders, operations, await _books(outside), self._replayed)
        if handed := found.ends[HANDED_OVER]:
            found.wrong.append(f"{handed} ended {HANDED_OVER}, and no undo failed for a day")
        return found

    async def _count_replayed(self, _: web.Request, answer: web.StreamResponse) -> None:
        self._replayed += "Idempotent-Replayed" in answer.headers

    async def _set_fire(self, outside: aiohttp.ClientSession) -> None:
        await _tell(outside, "PUT", "/bank/accounts/vendor:frozen", {"frozen": True})
        for order in self._orders[::25]:  # their posting will be refused, the last step of all
            posting = {"kind": "payment", "vendor": order.vendor, "number": order.number}
            await _tell(outside, "POST", "/postings", posting | {"amount_cents": 1}, order.number)
        for number, order in enumerate(self._orders[::10]):
            # Done, and never told; half of them late, after durablehost was killed and asked again.
            fault = {"on": self._chance.choice(_MOVES), "about": f'"{order.id}"'}
            late = {"slow_ms": _LATE_MS * (number % 2)}
            await _tell(outside, "POST", "/faults", fault | late | {"lose_answer_next": 1})
            await _tell(outside, "POST", "/faults", fault | {"fail_next": 2, "status": 403})
        for seed, fault in enumerate(_FAULTS):
            await _tell(outside, "POST", "/faults", fault | {"seed": seed})

    async def _put_out(self, outside: aiohttp.ClientSession) -> None:
        await _tell(outside, "DELETE", "/faults")
        await _tell(outside, "PUT", "/bank/accounts/vendor:thawing", {"frozen": False})

    async def _freeze_and_thaw(self, outside: aiohttp.ClientSession) -> None:
        while True:
            for frozen in (True, False):
                await _tell(outside, "PUT", "/bank/accounts/vendor:thawing", {"frozen": frozen})
                await asyncio.sleep(0.5)

    async def _kill_often(self, world_url: str, door: Door) -> None:
        for number in range(1, self._kills + 1):
            durablehost = await self._start(world_url)
            try:
                door.open(durablehost.base)
                self._let_send(len(self._orders) // self._kills)
                await asyncio.sleep(self._chance.random() * _LIVES_SECONDS)
            finally:
                door.close()
                await asyncio.to_thread(durablehost.stop, signal.SIGKILL)
            self._say(f"{number} kills, {self._sent} payments sent")

    def _let_send(self, payments: int) -> None:
        for _ in range(payments):
            self._due.release()

    async def _call(self, client: Client) -> None:
        """Send payments, each until it is answered; cancel some, and retry some of those before."""
        for order in self._waiting:
            await self._due.acquire()
            body = {
                "vendor": order.vendor,
                "number": order.number,
                "amount_cents": order.amount_cents,
            }
            while (answer := await client.send("POST", "/api/payments", body)) is None:
                pass
            assert answer[0] in (200, 202), answer
            self._sent += 1
            if self._chance.random() < _CANCELLED:
                await client.send("POST", f"/api/operations/{order.id}/cancel?reason=chaos")
            if self._chance.random() < _RETRIED:
                earlier = self._chance.choice(self._orders[: self._sent])
                await client.send("POST", f"/api/operations/{earlier.id}/retry")

    async def _let_all_end(self, client: Client) -> dict[str, Any]:
        """The operations of all payments once they have ended, or patience has."""
        until = time.monotonic() + _PATIENCE_SECONDS
        operations = {}
        for order in self._orders:
            while True:
                answer = await client.send("GET", f"/api/operations/{order.id}")
                assert answer is not None, "durablehost died, and nobody killed it"
                operations[order.id] = answer[1]
                if answer[0] != 202 or time.monotonic() > until:
                    break
                await asyncio.sleep(0.05)
        return operations

    async def _start(self, world_url: str) -> Started:
        environ = {f"{party.upper()}_URL": f"{world_url}{party}" for party in PARTIES}
        environ |= {"PYTHONDONTWRITEBYTECODE": "1", "PAYMENT_LIMIT_CENTS": str(limits.CENTS.most)}
        environ |= bound_settings()
        return await asyncio.to_thread(start, self._app, "--data", self._hub, environ=environ)


@contextlib.asynccontextmanager
async def _served(world: web.Application) -> AsyncIterator[str]:
    """A server that does what it was asked even where whoever asked is dead by then."""
    runner = web.AppRunner(world, handler_cancellation=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield "http://{}:{}/".format(*runner.addresses[0])
    finally:
        await runner.cleanup()


async def _tell(
    outside: aiohttp.ClientSession, method: str, path: str, body: Any = None, key: str = ""
) -> None:
    headers = {"Idempotency-Key": key} if key else {}
    async with outside.request(method, path, json=body, headers=headers) as answer:
        assert answer.status < 300, await answer.text()


async def _books(outside: aiohttp.ClientSession) -> dict[str, Any]:
    """What bank, books and mail hold in the end."""
    books = {}
    for path in BOOKS:
        async with outside.get(path) as answer:
            books[path] = await answer.json()
    return books


def in_folder(folder: Path, payments: int, kills: int, seed: int, say: Say) -> Findings:
    """Make payments under fire."""
    return asyncio.run(Fire(folder, payments, kills, seed, say).run())
