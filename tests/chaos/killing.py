"""Runs the app under load while the systems that it calls fail and durablehost is killed."""

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
from tests.chaos.load import EXPECTED, Client, HostAddress
from tests.durablehost_process import Started, start
from tests.processes import PARTIES
from tests.source import copy_app

PATIENCE_SECONDS: Final = 180.0  # after some failures an undo pauses for a minute
_LIVES_SECONDS: Final = 1.5  # at most, from when durablehost is ready

Say = Callable[[str], None]


class Load(Protocol):
    """The requests for the app, and the faults of the systems that it calls."""

    count: int  # pieces of work, which `due` spreads over all kills
    callers: int
    settings: dict[str, str]
    sent: int

    async def switch_faults_on(self, outside: aiohttp.ClientSession) -> None:
        """Switch faults on."""

    async def call(
        self, client: Client, outside: aiohttp.ClientSession, due: asyncio.Semaphore
    ) -> None:
        """Do pieces of work until all are done."""

    async def switch_faults_off(self, outside: aiohttp.ClientSession) -> None:
        """Switch faults off after all callers are done."""

    async def finish(self, client: Client, outside: aiohttp.ClientSession) -> None:
        """Wait until everything has ended, and keep what the audit needs."""


async def run_with_kills(
    load: Load, world: web.Application, folder: Path, kills: int, chance: random.Random, say: Say
) -> None:
    """Run the load, kill durablehost `kills` times, and let the last process finish the work."""
    app = copy_app(folder)
    timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
    connector = aiohttp.TCPConnector(force_close=True)
    due = asyncio.Semaphore(0)
    async with (
        _served(world) as world_url,
        aiohttp.ClientSession(world_url) as outside,
        aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
    ):
        await load.switch_faults_on(outside)
        address = HostAddress()
        client = Client(session, address, Book(), {*EXPECTED, 409})
        calling = [
            asyncio.create_task(load.call(client, outside, due)) for _ in range(load.callers)
        ]
        for number in range(1, kills + 1):
            durablehost = await _start(app, world_url, load.settings)
            try:
                address.set(durablehost.base)
                _release(due, load.count // kills)
                await asyncio.sleep(chance.random() * _LIVES_SECONDS)
            finally:
                address.clear()
                await asyncio.to_thread(durablehost.stop, signal.SIGKILL)
            say(f"{number} kills, {load.sent} of {load.count} sent")
        durablehost = await _start(app, world_url, load.settings)
        try:
            address.set(durablehost.base)
            _release(due, load.count)
            await asyncio.gather(*calling)
            await load.switch_faults_off(outside)
            await load.finish(client, outside)
        finally:
            await asyncio.to_thread(durablehost.stop, signal.SIGTERM)


async def all_ended(client: Client, operations: Iterable[str]) -> dict[str, Any]:
    """Wait until the operations have ended, or for PATIENCE_SECONDS. Returns them."""
    until = time.monotonic() + PATIENCE_SECONDS
    shown = {}
    for operation in operations:
        while True:
            answer = await client.send("GET", f"/api/operations/{operation}")
            assert answer is not None, "durablehost ended without being killed"
            shown[operation] = answer.value
            if answer.status != 202 or time.monotonic() > until:
                break
            await asyncio.sleep(0.05)
    return shown


async def tell(
    outside: aiohttp.ClientSession, method: str, path: str, body: Any = None, key: str = ""
) -> None:
    """Send a request to the sandbox."""
    headers = {"Idempotency-Key": key} if key else {}
    async with outside.request(method, path, json=body, headers=headers) as answer:
        assert answer.status < 300, await answer.text()


async def read(outside: aiohttp.ClientSession, path: str) -> Any:
    """Read from the sandbox."""
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
    """Serve the sandbox so that it finishes each request, even if the caller was killed."""
    runner = web.AppRunner(world, handler_cancellation=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield "http://{}:{}/".format(*runner.addresses[0])
    finally:
        await runner.cleanup()
