"""Kills durablehost under load many times, and starts it again on the same hub file."""

import asyncio
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp

from tests.chaos.audit import Audit, Seen, audit, check_file, ended, unfinished
from tests.chaos.book import Book
from tests.chaos.load import Client, HostAddress, Load
from tests.durablehost_process import Started, launch, start

APP: Final = Path(__file__).parent / "app"
_CALLERS: Final = 8
_LIVES_SECONDS: Final = 0.6  # at most, after it is ready
_STARTS_SECONDS: Final = 0.6  # if it is killed while it starts
_KILLED_AT_START: Final = 0.15  # of all kills
_LOOKS: Final = 10  # kills between two checks of what has ended
_PATIENCE_SECONDS: Final = 60.0  # without any instance ending

Say = Callable[[str], None]


@dataclass
class Sweep:
    """One sweep, in its own folder."""

    folder: Path
    kills: int
    seed: int
    say: Say
    book: Book = field(default_factory=Book)
    seen: Seen = field(default_factory=dict)

    async def run(self) -> Audit:
        """Kill many times, wait until everything has ended, and audit."""
        address = HostAddress()
        timeout = aiohttp.ClientTimeout(total=_PATIENCE_SECONDS)
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            client = Client(session, address, self.book)
            load = Load(client, self.book, random.Random(self.seed))
            calling = asyncio.create_task(load.run(_CALLERS))
            await self._kill_often(random.Random(self.seed), address, client)
            durablehost = await self._start()
            try:
                address.set(durablehost.base)
                load.stop()
                await calling
                await _let_all_end(client)
                found = await audit(client, self.book, self.seen, self._effects())
            finally:
                await asyncio.to_thread(durablehost.stop, signal.SIGTERM)
        check_file(found, self.folder / "hub.db")
        return found

    async def _kill_often(
        self, chance: random.Random, address: HostAddress, client: Client
    ) -> None:
        for number in range(1, self.kills + 1):
            if chance.random() < _KILLED_AT_START:
                await self._kill_at_start(chance.random() * _STARTS_SECONDS)
                continue
            durablehost = await self._start()
            try:
                address.set(durablehost.base)
                if number % _LOOKS == 0:
                    self.seen = await ended(client)
                    self._tell(number)
                await asyncio.sleep(chance.random() * _LIVES_SECONDS)
            finally:
                address.clear()
                await asyncio.to_thread(durablehost.stop, signal.SIGKILL)

    async def _kill_at_start(self, seconds: float) -> None:
        process, output = launch("start", APP, *self._options(), environ=self._environ())
        try:
            await asyncio.sleep(seconds)
        finally:
            process.kill()
            await asyncio.to_thread(process.wait)
            output.close()

    async def _start(self) -> Started:
        return await asyncio.to_thread(start, APP, *self._options(), environ=self._environ())

    def _options(self) -> tuple[str | Path, ...]:
        return ("--port", "0", "--data", self.folder / "hub.db")

    def _environ(self) -> dict[str, str]:
        return {"EFFECTS": str(self.folder / "effects")}

    def _effects(self) -> list[str]:
        effects = self.folder / "effects"
        return effects.read_text().split() if effects.exists() else []

    def _tell(self, number: int) -> None:
        book = self.book
        self.say(
            f"{number} kills: {len(book.instances)} instances asked for,"
            f" {len(self.seen)} seen to have ended, {book.requests} requests,"
            f" {book.unanswered} of them unanswered"
        )


async def _let_all_end(client: Client) -> None:
    """Wait until all work is done, or until nothing has ended for a long time."""
    loop = asyncio.get_running_loop()
    left: list[str] = []
    since = loop.time()
    while (now := await unfinished(client)) and loop.time() - since < _PATIENCE_SECONDS:
        if now != left:
            left, since = now, loop.time()
        await asyncio.sleep(0.1)


def in_folder(folder: Path, kills: int, seed: int, say: Say) -> Audit:
    """Run a sweep."""
    return asyncio.run(Sweep(folder, kills, seed, say).run())
