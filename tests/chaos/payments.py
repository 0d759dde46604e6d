"""Payments while systems fail and durablehost is killed.

The bank, the books and the mail server fail, refuse, lose answers and act late, accounts freeze and
thaw, callers cancel and retry, and durablehost is killed at random. Then the ledger is audited.
"""

import asyncio
import contextlib
import random
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from activities import limits
from sandbox.app import create_app
from tests.chaos.killing import Say, all_ended, read, run_with_kills, tell
from tests.chaos.load import Client
from tests.chaos.payments_audit import BOOKS, HANDED_OVER, Findings, Order, audit

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
_CANCELLED: Final = 0.1  # of all payments
_RETRIED: Final = 0.2


class Payments:
    """Payments, and everything that happens to them."""

    callers = 8
    settings = {"PAYMENT_LIMIT_CENTS": str(limits.CENTS.most)}

    def __init__(self, count: int, chance: random.Random) -> None:
        self.count = count
        self.sent = 0
        self._chance = chance
        self._orders = [self._order(number) for number in range(count)]
        self._waiting = iter(self._orders)
        self._freezing: asyncio.Task[None] | None = None
        self._replayed = 0
        self._operations: dict[str, Any] = {}
        self._books: dict[str, Any] = {}

    def _order(self, number: int) -> Order:
        # a few exceed the company's balance
        amount = 2_000_000_00 if number % 40 == 39 else self._chance.randrange(1, 150_000)
        return Order(self._chance.choice(VENDORS), f"P-{number}", amount)

    def world(self) -> web.Application:
        world = create_app()
        world.on_response_prepare.append(self._count_replayed)
        return world

    def audited(self) -> Findings:
        found = audit(self._orders, self._operations, self._books, self._replayed)
        if handed := found.ends[HANDED_OVER]:
            found.wrong.append(f"{handed} ended {HANDED_OVER}, and no undo failed for a day")
        return found

    async def _count_replayed(self, _: web.Request, answer: web.StreamResponse) -> None:
        self._replayed += "Idempotent-Replayed" in answer.headers

    async def switch_faults_on(self, outside: aiohttp.ClientSession) -> None:
        await tell(outside, "PUT", "/bank/accounts/vendor:frozen", {"frozen": True})
        for order in self._orders[::25]:  # their posting, the last step, will be refused
            posting = {"kind": "payment", "vendor": order.vendor, "number": order.number}
            await tell(outside, "POST", "/postings", posting | {"amount_cents": 1}, order.number)
        for number, order in enumerate(self._orders[::10]):
            # The bank acts but loses the answer. Half of the time it acts after the next attempt.
            fault = {"on": self._chance.choice(_MOVES), "about": f'"{order.id}"'}
            late = {"slow_ms": _LATE_MS * (number % 2)}
            await tell(outside, "POST", "/faults", fault | late | {"lose_answer_next": 1})
            await tell(outside, "POST", "/faults", fault | {"fail_next": 2, "status": 403})
        for seed, fault in enumerate(_FAULTS):
            await tell(outside, "POST", "/faults", fault | {"seed": seed})
        self._freezing = asyncio.create_task(self._freeze_and_thaw(outside))

    async def switch_faults_off(self, outside: aiohttp.ClientSession) -> None:
        if self._freezing is not None:
            self._freezing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._freezing
        await tell(outside, "DELETE", "/faults")
        await tell(outside, "PUT", "/bank/accounts/vendor:thawing", {"frozen": False})

    async def _freeze_and_thaw(self, outside: aiohttp.ClientSession) -> None:
        while True:
            for frozen in (True, False):
                await tell(outside, "PUT", "/bank/accounts/vendor:thawing", {"frozen": frozen})
                await asyncio.sleep(0.5)

    async def call(
        self, client: Client, outside: aiohttp.ClientSession, due: asyncio.Semaphore
    ) -> None:
        """Send each payment until there is an answer. Cancel some, and retry some earlier ones."""
        for order in self._waiting:
            await due.acquire()
            body = {
                "vendor": order.vendor,
                "number": order.number,
                "amount_cents": order.amount_cents,
            }
            while (answer := await client.send("POST", "/api/payments", body)) is None:
                pass
            assert answer[0] in (200, 202), answer
            self.sent += 1
            if self._chance.random() < _CANCELLED:
                await client.send("POST", f"/api/operations/{order.id}/cancel?reason=chaos")
            if self._chance.random() < _RETRIED:
                earlier = self._chance.choice(self._orders[: self.sent])
                await client.send("POST", f"/api/operations/{earlier.id}/retry")

    async def finish(self, client: Client, outside: aiohttp.ClientSession) -> None:
        self._operations = await all_ended(client, [order.id for order in self._orders])
        self._books = {path: await read(outside, path) for path in BOOKS}


def in_folder(folder: Path, payments: int, kills: int, seed: int, say: Say) -> Findings:
    """Make payments while systems fail and durablehost is killed."""
    chance = random.Random(seed)
    load = Payments(payments, chance)
    asyncio.run(run_with_kills(load, load.world(), folder / "payments", kills, chance, say))
    return load.audited()
