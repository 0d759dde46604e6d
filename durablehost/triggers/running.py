"""Runs a function for a trigger, and logs failures."""

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
    """Call the function with the value. Returns False if this failed; the failure is logged."""
    try:
        value = make_value()
    except ValueError as error:
        log.error("%s was not run on %s: %s", function.name, about, error)
        return False
    try:
        await invoke(function, value)
    except FunctionFailed as failure:
        log.error("%s failed on %s: %s\n%s", function.name, about, failure, failure.stack)
    except Exception:  # a fault of durablehost ends this run, not the trigger
        log.exception("%s: durablehost failed to run it on %s", function.name, about)
    else:
        return True
    return False


class RunningWork:
    """Running work, which gets some time to end when durablehost stops."""

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
        """Wait for all that end in time, and cancel the others."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_seconds)
        late = list(self._tasks)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:  # a fault of durablehost that nothing else reports
        log.exception("the work of a trigger failed")
