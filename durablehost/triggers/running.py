"""Runs a function for a trigger, and says when it failed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from durablehost.app.functions import Function
from durablehost.errors import FunctionFailed

log = logging.getLogger(__name__)

Invoke = Callable[[Function, object], Awaitable[None]]


async def succeeds(
    invoke: Invoke, function: Function, make_value: Callable[[], object], about: str
) -> bool:
    """Call the function with the value; False if either went wrong, which is then in the log."""
    try:
        value = make_value()
    except ValueError as error:
        log.error("%s was not run on %s: %s", function.name, about, error)
        return False
    try:
        await invoke(function, value)
    except FunctionFailed as failure:
        log.error("%s failed on %s: %s\n%s", function.name, about, failure, failure.stack)
    except Exception:  # a fault of durablehost costs this one run, not the trigger
        log.exception("%s: durablehost failed to run it on %s", function.name, about)
    else:
        return True
    return False


class Tasks:
    """Work under way, which is given some time when durablehost stops."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def until_fewer_than(self, number: int) -> None:
        while len(self._tasks) >= number:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def stop(self, grace_seconds: float) -> None:
        """Let all end that do so in time, and cancel the others."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_seconds)
        late = list(self._tasks)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:  # a fault of durablehost; nobody else would see it
        log.exception("the work of a trigger failed")
