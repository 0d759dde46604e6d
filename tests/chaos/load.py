"""Puts load on a durablehost that is killed many times."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final, NamedTuple

import aiohttp

from tests.chaos.book import Asked, Book, Sent

LEDGERS: Final = 5
LAST: Final = "last"  # in place of a number
_API: Final = "/runtime/webhooks/durabletask"
_PAGE: Final = "x-ms-continuation-token"
EXPECTED: Final = (200, 202, 404, 410)
_MOST_OPEN: Final = 200  # instances; a durablehost that runs for half a second must make progress
_BREATH_SECONDS: Final = 0.02


class Answer(NamedTuple):
    """The answer to a request."""

    status: int
    value: Any
    next_page: str


class HostAddress:
    """The address of durablehost while it runs."""

    def __init__(self) -> None:
        self._base: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def set(self, base: str) -> None:
        self._base.set_result(base)

    def clear(self) -> None:
        if self._base.done():
            self._base = asyncio.get_running_loop().create_future()

    async def base(self) -> str:
        """Wait until durablehost runs. Returns its address."""
        return await self._base


class Client:
    """Sends each request once."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        address: HostAddress,
        book: Book,
        expected: Collection[int] = EXPECTED,
    ) -> None:
        self._session = session
        self._expected = expected
        self._address = address
        self._book = book

    async def send(self, method: str, path: str, body: Any = None, page: str = "") -> Answer | None:
        """Send a request. Returns None if durablehost was killed. A body of bytes is a PDF."""
        base = await self._address.base()
        self._book.requests += 1
        headers = {_PAGE: page} if page else {}
        data: dict[str, Any] = {"json": body}
        if isinstance(body, bytes):
            data, headers = {"data": body}, {**headers, "Content-Type": "application/pdf"}
        try:
            async with self._session.request(
                method, base + path, headers=headers, **data
            ) as answer:
                text = await answer.text()
                assert answer.status in self._expected, f"{path}: {answer.status} {text}"
                value = json.loads(text) if text else None
                return Answer(answer.status, value, answer.headers.get(_PAGE, ""))
        except aiohttp.ClientError:
            self._book.unanswered += 1
            return None

    async def ask(self, path: str, page: str = "") -> Answer:
        """Repeat a GET until there is an answer."""
        while (answer := await self.send("GET", _API + path, page=page)) is None:
            pass
        return answer

    async def list(self, query: str) -> list[Any]:
        """List all instances, page by page."""
        found: list[Any] = []
        page = ""
        while True:
            answer = await self.ask(f"/instances?{query}&showInput=false&top=1000", page)
            found += answer.value
            page = answer.next_page
            if not page:
                return found

    async def start(self, asked: Asked, body: Any, *, through_app: bool) -> bool:
        """Start an instance. Returns whether it exists, also if the start was not answered."""
        path = f"/orchestrators/{asked.orchestrator}/{asked.id}"
        path = f"/api/start/{asked.orchestrator}/{asked.id}" if through_app else _API + path
        answer = await self.send("POST", path, body)
        asked.answered = answer is not None and answer.status == 202
        return asked.answered or (await self.ask(f"/instances/{asked.id}")).status != 404

    async def raise_number(self, asked: Asked, number: int) -> None:
        answered = await self._raise(asked, number) == 202
        asked.events.append(Sent(number, answered))

    async def raise_last(self, asked: Asked) -> None:
        """Send the last number until there is an answer. 410 means that it had arrived before."""
        while await self._raise(asked, LAST) not in (202, 410):
            pass

    async def _raise(self, asked: Asked, value: Any) -> int | None:
        path = f"{_API}/instances/{asked.id}/raiseEvent/Number"
        answer = await self.send("POST", path, value)
        return answer.status if answer else None

    async def signal(self, ledger: str, entry: str) -> None:
        # An entity reads JSON text that holds JSON text.
        body = json.dumps(entry)
        answer = await self.send("POST", f"{_API}/entities/ledger/{ledger}?op=enter", body)
        sent = Sent(entry, answer is not None and answer.status == 202)
        self._book.signals.setdefault(ledger, []).append(sent)


class Load:
    """Callers who work in parallel until `stop`."""

    def __init__(self, client: Client, book: Book, chance: random.Random) -> None:
        self._client = client
        self._book = book
        self._chance = chance
        self._stopping = False
        self._go = asyncio.Event()
        self._count = 0

    async def run(self, callers: int) -> None:
        """Call until `stop`, then finish what was begun."""
        gauge = asyncio.create_task(self._gauge())
        async with asyncio.TaskGroup() as group:
            for number in range(callers):
                group.create_task(self._call(f"caller{number}"))
        gauge.cancel()

    def stop(self) -> None:
        self._stopping = True
        self._go.set()

    async def _call(self, caller: str) -> None:
        calls: list[Callable[[str], Awaitable[None]]] = [self._start_one, self._tell, self._enter]
        while not self._stopping:
            await self._go.wait()
            await self._chance.choices(calls, (6, 1, 4))[0](caller)
            await asyncio.sleep(self._chance.random() * _BREATH_SECONDS)

    async def _gauge(self) -> None:
        """Let callers wait while much is unfinished, because a killed host completes little."""
        unfinished = f"/instances?runtimeStatus=Pending,Running&showInput=false&top={_MOST_OPEN}"
        while not self._stopping:
            if len((await self._client.ask(unfinished)).value) < _MOST_OPEN:
                self._go.set()
            else:
                self._go.clear()
            await asyncio.sleep(_BREATH_SECONDS)

    def _new(self, orchestrator: str, number: int, ledger: str = "") -> Asked:
        self._count += 1
        asked = Asked(f"{orchestrator}:{self._count}", orchestrator, number, ledger)
        self._book.instances[asked.id] = asked
        return asked

    async def _start_one(self, caller: str) -> None:
        kinds = ["chain", "fan_out", "timers", "family", "bookkeeper"]
        kind = self._chance.choice(kinds)
        ledger = f"{self._chance.randrange(LEDGERS)}"
        asked = self._new(kind, self._chance.randrange(2, 20), ledger)
        body = {"number": asked.number, "ledger": ledger}
        await self._client.start(asked, body, through_app=self._chance.random() < 0.3)

    async def _tell(self, caller: str) -> None:
        """Start an instance that receives numbers, and send it some."""
        asked = self._new(self._chance.choice(["collector", "gatherer"]), 0)
        if not await self._client.start(asked, {"numbers": []}, through_app=False):
            return
        for number in range(self._chance.randrange(1, 9)):
            await self._client.raise_number(asked, number)
            await asyncio.sleep(self._chance.random() * _BREATH_SECONDS)
        await self._client.raise_last(asked)

    async def _enter(self, caller: str) -> None:
        ledger = f"{self._chance.randrange(LEDGERS)}"
        self._count += 1
        await self._client.signal(ledger, f"{caller}/{self._count}")
