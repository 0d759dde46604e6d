"""An engine at work in this process, on the functions of one test."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import azure.durable_functions as df

from durablehost.app.functions import FunctionTable
from durablehost.app.loading import index_app
from durablehost.calling.http_activity import HttpCaller
from durablehost.calling.invoker import Invoker
from durablehost.engine.activities import ActivityRunner
from durablehost.engine.loop import Engine
from durablehost.errors import HubFull
from durablehost.hub.backend import Instance
from durablehost.hub.client import HubClient
from durablehost.hub.clock import Clock, SystemClock
from durablehost.hub.problems import Problem
from durablehost.settings import Settings
from durablehost.store import MEMORY, SqliteBackend

PATIENCE = 60.0  # seconds, after which a test is taken to hang

Steps = Generator[Any, Any, Any]


@dataclass
class Working:
    """The engine, and a client of its hub."""

    engine: Engine
    client: HubClient
    running: asyncio.Task[None]
    reported: list[tuple[str, Problem]]  # instance id, problem

    async def started(self, name: str, instance_id: str, given: str = "null") -> None:
        """Start an instance, and have it on disk."""
        self.client.start(name, instance_id, given)
        await self.engine.saved()

    async def told(self, instance_id: str, name: str, value: Any = None) -> None:
        """Raise an event, and have it on disk."""
        self.client.raise_event(instance_id, name, value)
        await self.engine.saved()

    async def ended(self, instance_id: str) -> Instance:
        """The instance once it has ended."""
        return await self.until(instance_id, lambda instance: instance.ended)

    async def until(self, instance_id: str, reached: Callable[[Instance], bool]) -> Instance:
        """The instance once it has come so far; looks after each flush."""
        async with asyncio.timeout(PATIENCE):
            while not reached(instance := self.client.status(instance_id)):
                with contextlib.suppress(HubFull):
                    await self.engine.saved()
        return instance


@asynccontextmanager
async def working(
    app: df.DFApp,
    data: Path | str = MEMORY,
    *,
    settings: Settings | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Working]:
    """Have an engine work on a hub until the block ends."""
    table: FunctionTable = index_app(app)
    reported: list[tuple[str, Problem]] = []

    def report(instance_id: str, _: str, problem: Problem) -> None:
        reported.append((instance_id, problem))

    clock, settings = clock or SystemClock(), settings or Settings()
    backend = SqliteBackend(data)
    invoker, http = Invoker(own_loop=False, limit=settings.function_timeout), HttpCaller()
    runner = ActivityRunner(table, invoker, clock, http, "")
    engine = Engine(backend, table, invoker, clock, settings, runner, report)
    client = HubClient(
        backend, clock, table, engine.wake, may_replace_running=settings.may_replace_running
    )
    running = asyncio.create_task(engine.run())
    try:
        yield Working(engine, client, running, reported)
    finally:
        await engine.stop()
        await invoker.close()
        await http.close()
        backend.close()
        with contextlib.suppress(Exception):  # the test has looked at it, where it is to fail
            await running


@dataclass
class Hold:
    """A place where a function waits until the test lets it go on."""

    _armed: bool = False
    reached: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def arm(self) -> None:
        self._armed = True

    def pass_by(self) -> None:
        """To be called by the function: it waits here once, if the place is armed."""
        if self._armed:
            self._armed = False
            self.reached.set()
            assert self.go_on.wait(PATIENCE)

    async def is_reached(self) -> None:
        assert await asyncio.to_thread(self.reached.wait, PATIENCE)
