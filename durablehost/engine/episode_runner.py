"""Runs episodes: one with a long history on another thread, beside the work loop."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from durablehost.app.functions import Function, FunctionTable
from durablehost.calling.threads import DaemonPool
from durablehost.episodes.episode import run_episode
from durablehost.hub.backend import Decision, OrchestrationWork
from durablehost.hub.clock import Clock
from durablehost.settings import Settings

_LONG_HISTORY: Final = 300  # events; from here on an episode leaves the loop's thread
_GRACE_SECONDS: Final = 0.5  # for an episode under way, when durablehost stops

Attempt = tuple[Decision | Exception, float]  # what became of an episode, and the seconds it took


class EpisodeRunner:
    """Episodes; those beside the work loop one after the other, on a thread of their own."""

    def __init__(
        self,
        table: FunctionTable,
        call: Callable[[Function, str], str],
        clock: Clock,
        settings: Settings,
        wake: Callable[[], None],
    ) -> None:
        """`call` runs an orchestrator of the app; `wake` is called where `next_ended` has more."""
        self._table = table
        self._call = call
        self._clock = clock
        self._settings = settings
        self._wake = wake
        self._ended: list[tuple[OrchestrationWork, Attempt]] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._thread = DaemonPool(1)

    def run(self, orchestration: OrchestrationWork) -> Attempt | None:
        """Run an episode; None where it takes place beside the loop, and `next_ended` has it."""
        if len(orchestration.past) < _LONG_HISTORY:
            return self._attempt(orchestration)
        task = asyncio.create_task(self._run_beside(orchestration))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return None

    async def _run_beside(self, orchestration: OrchestrationWork) -> None:
        attempt = await self._thread.run(partial(self._attempt, orchestration))
        self._ended.append((orchestration, attempt))
        self._wake()

    def _attempt(self, orchestration: OrchestrationWork) -> Attempt:
        began = time.perf_counter()
        try:
            decision: Decision | Exception = self._decision(orchestration)
        except Exception as error:  # the top of a work loop: whoever asked decides
            decision = error
        return decision, time.perf_counter() - began

    def _decision(self, orchestration: OrchestrationWork) -> Decision:
        function = self._table.orchestrator(orchestration.instance.name)
        call = partial(self._call, function) if function else None
        return run_episode(orchestration, call, self._table, self._clock, self._settings)

    def next_ended(self) -> tuple[OrchestrationWork, Attempt] | None:
        """Each of those beside the loop once."""
        return self._ended.pop(0) if self._ended else None

    async def stop(self) -> None:
        """Begin no more; one that does not end soon is given up."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=_GRACE_SECONDS)
        self._thread.close()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
