"""Sets off an app's triggers, for tests."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.functions.decorators.function_app import FunctionRegister

from durablehost.app.functions import Function, FunctionTable
from durablehost.app.loading import index_app
from durablehost.calling.invoker import Invoker
from durablehost.hub.clock import ManualClock, SystemClock
from durablehost.triggers import TriggerOptions, Triggers
from durablehost.triggers.timers import sleeping_by

# Long enough for any machine; only what hangs runs into it.
PATIENCE_SECONDS = 60


class KeptInMemory:
    """Trigger state that outlives one start of the triggers, not the test."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        return self.kept.get(key)

    def put(self, key: str, value: str) -> None:
        self.kept[key] = value


class Seen:
    """What the functions of a test app noted, in order."""

    def __init__(self) -> None:
        self._noted: asyncio.Queue[Any] = asyncio.Queue()

    def note(self, what: Any) -> None:
        self._noted.put_nowait(what)

    async def next(self) -> Any:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._noted.get()

    async def take(self, count: int) -> list[Any]:
        return [await self.next() for _ in range(count)]

    @property
    def is_empty(self) -> bool:
        return self._noted.empty()


class Alarm:
    """A clock that only a test moves, and those who sleep by it."""

    def __init__(self, start: str = "2026-03-01 12:00:00") -> None:
        self.clock = ManualClock(at(start))
        self._set: asyncio.Queue[datetime] = asyncio.Queue()
        self._sleepers: list[tuple[datetime, asyncio.Future[None]]] = []

    async def sleep_until(self, time: datetime) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((time, woken))
        self._set.put_nowait(time)
        self._wake()
        await woken

    async def next_set(self) -> datetime:
        """The time until which somebody sleeps, once somebody does."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._set.get()

    def move_to(self, time: datetime) -> None:
        self.clock.move_to(time)
        self._wake()

    def _wake(self) -> None:
        due = [sleeper for sleeper in self._sleepers if sleeper[0] <= self.clock.now()]
        self._sleepers = [sleeper for sleeper in self._sleepers if sleeper not in due]
        for _, woken in due:
            if not woken.done():
                woken.set_result(None)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What durablehost, not the SDK, has logged."""
    records = [r for r in caplog.records if r.name.startswith("durablehost")]
    return [record.getMessage() for record in records]


def function_of(table: FunctionTable, name: str) -> Function:
    return next(function for function in table.functions if function.name == name)


@asynccontextmanager
async def triggers_of(
    app: FunctionRegister,
    environ: Mapping[str, str] | None = None,
    *,
    state: KeptInMemory | None = None,
    alarm: Alarm | None = None,
    disabled: Collection[str] = (),
    **options: Any,
) -> AsyncIterator[Triggers]:
    """The triggers of an app, started; its async functions run on the test's own loop."""
    clock = alarm.clock if alarm else SystemClock()
    invoker = Invoker(own_loop=False)

    async def invoke(function: Function, value: object) -> None:
        await invoker.trigger(function, value, "{}")

    triggers = Triggers(
        index_app(app).with_disabled(disabled),
        invoke,
        clock,
        environ or {},
        state or KeptInMemory(),
        **{"sleep_until": alarm.sleep_until if alarm else sleeping_by(clock), **options},
    )
    triggers.start()
    try:
        yield triggers
    finally:
        await triggers.stop()
        await invoker.close()


def impatient(**queue_options: Any) -> TriggerOptions:
    """host.json that has queues looked into all the time."""
    queues = {"maxPollingInterval": "00:00:00.1", **queue_options}
    return TriggerOptions.from_host_json({"extensions": {"queues": queues}})
