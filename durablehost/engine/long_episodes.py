"""Runs episodes with a long history on another thread, so that the work loop goes on meanwhile."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from durablehost.calling.threads import DaemonPool
from durablehost.hub.backend import OrchestrationWork

_LONG_HISTORY: Final = 300  # events
_GRACE_SECONDS: Final = 0.5  # for an episode under way, when durablehost stops


class LongEpisodes:
    """Runs one long episode at a time."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake` is called when an episode has ended."""
        self._wake = wake
        self._ended: list[Callable[[], None]] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._thread = DaemonPool(1)

    def takes(self, work: OrchestrationWork) -> bool:
        return len(work.past) >= _LONG_HISTORY

    def start(self, run: Callable[[], Callable[[], None]]) -> None:
        """Run an episode; its commit will be among `ended`."""
        task = asyncio.create_task(self._run(run))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _run(self, run: Callable[[], Callable[[], None]]) -> None:
        self._ended.append(await self._thread.run(run))
        self._wake()

    def ended(self) -> Iterator[Callable[[], None]]:
        """The commits of those that have ended, each once."""
        while self._ended:
            yield self._ended.pop(0)

    async def stop(self) -> None:
        """Start no more, and give up an episode that does not end soon."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=_GRACE_SECONDS)
        self._thread.close()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
