"""The app under load while the parties outside fail and durablehost is killed at random."""

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any, Final, Protocol

import aiohttp
from aiohttp import web

from tests.bound_settings import NO_SWEEP, bound_settings
from tests.chaos.book import Book
from tests.chaos.load import EXPECTED, Client, Door
from tests.durablehost_process import Started, start
from tests.processes import PARTIES
from tests.source import copy_app

PATIENCE_SECONDS: Final = 180.0  # an undo that failed a while pauses for a minute
_LIVES_SECONDS: Final = 1.5  # at most, from when durablehost is ready

Say = Callable[[str], None]


class Load(Protocol):
    """What is asked of the app, and what goes wrong meanwhile."""

    count: int  # pieces of work; `due` lets them begin, so that they are spread over all kills
    callers: int
    settings: dict[str, str]
    sent: int

    async def set_fire(self, outside: aiohttp.ClientSession) -> None:
        """Switch faults on."""

    async def call(
        self, client: Client, outside: aiohttp.ClientSession, due: asyncio.Semaphore
    ) -> None:
        """Do pieces of work until none is left."""

    async def put_out(self, outside: aiohttp.ClientSession) -> None:
        """Switch faults off, once all callers are done."""

    async def finish(self, client: Client, outside: aiohttp.ClientSession) -> None:
        """Let everything end, and keep what the audit needs."""


async def burn(
    load: Load, world: web.Application, folder: Path, kills: int, chance: random.Random, say: Say
) -> None:
    """Put the load on the app, kill durablehost so often, and let the last one finish."""
    app = copy_app(folder)
    timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
    connector = aiohttp.TCPConnector(force_close=True)
    due = asyncio.Semaphore(0)
    async with (
        _served(world) as world_url,
        aiohttp.ClientSession(world_url) as outside,
        aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
    ):
        await load.set_fire(outside)
        door = Door()
        client = Client(session, door, Book(), {*EXPECTED, 409})
        calling = [
            asyncio.create_task(load.call(client, outside, due)) for _ in range(load.callers)
        ]
        for number in range(1, kills + 1):
            durablehost = await _start(app, world_url, load.settings)
            try:
                door.open(durablehost.base)
                _release(due, load.count // kills)
                await asyncio.sleep(chance.random() * _LIVES_SECONDS)
            finally:
                door.close()
                await asyncio.to_thread(durablehost.stop, signal.SIGKILL)
            say(f"{number} kills, {load.sent} of {load.count} sent")
        durablehost = await _start(app, world_url, load.settings)
        try:
            door.open(durablehost.base)
            _release(due, load.count)
            await asyncio.gather(*calling)
            await load.put_out(outside)
            await load.finish(client, outside)
        finally:
            await asyncio.to_thread(durablehost.stop, signal.SIGTERM)


async def all_ended(client: Client, operations: Iterable[str]) -> dict[str, Any]:
    """The operations once they have ended, or patience has."""
    until = time.monotonic() + PATIENCE_SECONDS
    shown = {}
    for operation in operations:
        while True:
            answer = await client.send("GET", f"/api/operations/{operation}")
            assert answer is not None, "durablehost died, and nobody killed it"
            shown[operation] = answer.value
            if answer.status != 202 or time.monotonic() > until:
                break
            await asyncio.sleep(0.05)
    return shown


async def tell(
    outside: aiohttp.ClientSession, method: str, path: str, body: Any = None, key: str = ""
) -> None:
    """Tell the sandbox something."""
    headers = {"Idempotency-Key": key} if key else {}
    async with outside.request(method, path, json=body, headers=headers) as answer:
        assert answer.status < 300, await answer.text()


async def read(outside: aiohttp.ClientSession, path: str) -> Any:
    """What the sandbox shows at a path."""
    async with outside.get(path) as answer:
        return await answer.json()


def _release(due: asyncio.Semaphore, pieces: int) -> None:
    for _ in range(pieces):
        due.release()


async def _start(app: Path, world_url: str, settings: dict[str, str]) -> Started:
    environ = {f"{party.upper()}_URL": f"{world_url}{party}" for party in PARTIES}
    environ |= {"PYTHONDONTWRITEBYTECODE": "1", **bound_settings(), **NO_SWEEP, **settings}
    hub = app.with_suffix(".db")
    return await asyncio.to_thread(start, app, "--data", hub, environ=environ)


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
