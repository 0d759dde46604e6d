"""The work loop of a hub: takes work from the backend, runs it and commits the decisions.

The loop shares a thread with the server. A round lasts a few milliseconds at most and ends with a
flush, which writes all of it in one transaction. Only then do activities start and requests get
their response. A round in which activities have ended, and nothing else happened, can share the
flush of the next one. The app's code runs on other threads.

If a flush fails for no known reason, the work is repeated piece by piece: the piece that cannot be
written is set aside, and all other work goes on.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from typing import Final

from durablehost.app.functions import FunctionTable
from durablehost.engine.activities import Activities, ActivityRunner
from durablehost.engine.code_threads import LONG_SECONDS, CodeThreads
from durablehost.engine.kept_orchestrators import KeptOrchestrators
from durablehost.engine.long_calls import LongCalls
from durablehost.engine.postponed_episodes import PostponedEpisodes
from durablehost.engine.rounds import Caller, Commit, Report, Rounds, Run, Work
from durablehost.errors import DurablehostError, HubFull
from durablehost.hub.backend import Backend
from durablehost.hub.clock import Clock
from durablehost.hub.problems import Problem
from durablehost.settings import Settings

log = logging.getLogger(__name__)

_ROUND_SECONDS: Final = 0.005  # of work before requests are served
_FLUSH_SECONDS: Final = 0.005  # between writes of ends of activities
_RETRY_SECONDS: Final = 0.25  # after a write that failed
_SEARCH_SECONDS: Final = 10.0  # after a failure, at least, for work that cannot be written
_LONGEST_PAUSE_SECONDS: Final = 1.0  # the machine may have slept, or its clock may have been set
_NOT_WRITTEN: Final = "durablehost itself failed to write. Nothing of this was kept."
_STOPPING: Final = "durablehost is stopping; try again after its next start."


class Engine:
    """The work loop of a hub."""

    def __init__(
        self,
        backend: Backend,
        table: FunctionTable,
        caller: Caller,
        clock: Clock,
        settings: Settings,
        runner: ActivityRunner,
        report: Report,
        around: Callable[[Work, Run], Run] | None = None,
    ) -> None:
        """`around` replaces what runs code of the app, for a piece of work."""
        self._backend = backend
        self._clock = clock
        self._report = report
        self._wakeup = asyncio.Event()
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._losses = backend.losses  # at the beginning of the round
        self._is_full = False
        self._flushes_each = False  # since a flush has failed, but not for lack of room
        self._is_down = False  # the loop has failed
        self._failed_at = 0.0  # the last of such flushes
        self._entities_first = True  # in the last round
        self._flushed_at = 0.0
        self._problems: list[tuple[str, str, Problem]] = []  # not yet on disk
        self._postponed = PostponedEpisodes()
        self._code_threads = CodeThreads(self._wakeup.set, settings.max_concurrent_orchestrators)
        most = settings.max_concurrent_activities
        self._activities = Activities(backend, runner, most, self.wake)
        self._rounds = Rounds(
            backend,
            table,
            caller,
            clock,
            settings,
            report=lambda *problem: self._problems.append(problem),
            postponed=self._postponed,
            code_threads=self._code_threads,
            kept=KeptOrchestrators(),
            around=around,
        )
        self._long_calls = LongCalls(
            self._code_threads, self._rounds, backend, settings.function_timeout
        )

    def wake(self, target: str = "") -> None:
        """Work soon, as something came in; the instance `target` is not postponed any longer."""
        self._postponed.end(target)
        self._wakeup.set()

    def long_calls(self) -> list[str]:
        """A line for each orchestrator and entity that has run for long and still runs."""
        return self._long_calls.running()

    async def saved(self) -> None:
        """Return when all that was written so far is on disk. Raises HubFull if it was lost."""
        if self._stopped.is_set():
            raise HubFull(_STOPPING)
        saved = asyncio.get_running_loop().create_future()
        self._waiting.append((self._backend.losses, saved))
        self.wake()
        await saved

    async def run(self) -> None:
        """Work until `stop`."""
        try:
            while not self._stopping.is_set():
                await self._work_once()
        except BaseException:
            self._is_down = True
            raise
        finally:
            self._stopped.set()
            self._answer(HubFull(_STOPPING))

    async def _work_once(self) -> None:
        self._wakeup.clear()
        try:
            more = self._round()
            if not self._can_wait():
                more = self._flush() or more
        except HubFull as full:
            await self._recover(full)
            return
        except DurablehostError:
            raise
        except Exception as error:  # the top of a work loop: a fault in durablehost
            if not self._is_full:
                log.error("durablehost itself failed. Please report this", exc_info=error)
            self._failed_at = time.perf_counter()
            self._flush_each(True)
            await self._recover(HubFull(_NOT_WRITTEN))
            return
        self._activities.start()
        if more:
            await asyncio.sleep(0)
        else:
            if time.perf_counter() > self._failed_at + _SEARCH_SECONDS:
                self._flush_each(self._flushes_each and self._code_threads.is_busy)
            await self._pause()

    def _flush_each(self, each: bool) -> None:
        """Flush each piece of work alone, so that one that cannot be written is set aside."""
        self._flushes_each = each
        self._rounds.flushes_each = self._activities.flushes_each = each

    @property
    def _does_one_at_a_time(self) -> bool:
        return self._is_full or self._flushes_each

    async def stop(self) -> None:
        """Stop the work. What does not end now runs again at the next start."""
        self._stopping.set()
        self.wake()
        await self._stopped.wait()
        await self._activities.cancel()
        await self._code_threads.stop()
        if self._is_down:
            return
        try:
            for commit in self._ended():
                commit()
            self._flush()
        except HubFull as full:
            log.error("%s Lost work is repeated after the next start.", full)

    # One round

    def _round(self) -> bool:
        """Work for a moment. Returns whether more work is ready."""
        if self._waiting:
            self._flush()  # requests need not wait for work, nor fail with it
        self._long_calls.look()
        # After a failed write, one piece of work at a time: it may still fit.
        until = time.perf_counter() + (0.0 if self._does_one_at_a_time else _ROUND_SECONDS)
        self._losses = self._backend.losses
        worked = True
        while worked:
            worked = False
            # Alternately: otherwise entities would wait as long as any orchestration is ready.
            self._entities_first = not self._entities_first
            for commit in self._rounds.next_round(
                self._ended(), entities_first=self._entities_first
            ):
                commit()
                worked = True
                if time.perf_counter() > until or self._losses != self._backend.losses:
                    return True
            worked = self._code_threads.wait(until) or worked
        return False

    def _ended(self) -> Iterator[Commit]:
        """The commits of activities, orchestrators and entities, which run beside the loop."""
        yield from self._activities.ended()
        yield from self._code_threads.ended()

    def _can_wait(self) -> bool:
        """Whether the next flush can write the ends of activities too, as nobody sees them yet."""
        return (
            bool(self._activities.unsaved)
            and not (self._waiting or self._problems or self._does_one_at_a_time)
            and self._losses == self._backend.losses
            and self._backend.can_wait()
            and time.perf_counter() - self._flushed_at < _FLUSH_SECONDS
        )

    def _flush(self) -> bool:
        """Write all commits and release those who wait for it. Returns whether more is ready."""
        self._flushed_at = time.perf_counter()
        more = self._backend.flush()
        if self._losses != self._backend.losses:  # in mid-round: a commit failed
            self._take_back()
            self._flush_each(False)
            more = True
        self._activities.saved()
        if self._is_full:
            self._is_full = False
            log.warning("The hub can be written again.")
        self._answer(None)
        problems, self._problems = self._problems, []
        for problem in problems:
            self._report(*problem)
        return more

    def _answer(self, failure: HubFull | None) -> None:
        """Release those who wait in `saved`, with this failure if there is one."""
        waiting, self._waiting = self._waiting, []
        for losses, saved in waiting:
            if saved.done():
                continue
            if failure is not None:
                saved.set_exception(failure)
            elif losses != self._backend.losses:
                saved.set_exception(HubFull("The hub could not be written; try again."))
            else:
                saved.set_result(None)

    async def _recover(self, full: HubFull) -> None:
        """Report that nothing since the last flush was kept, and wait before trying again."""
        if not self._is_full:
            log.error("%s", full)
        self._is_full = True
        self._answer(full)
        self._take_back()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RETRY_SECONDS):
                await self._stopping.wait()

    def _take_back(self) -> None:
        """After a loss the backend offers its work again, but not activities that have ended."""
        self._losses = self._backend.losses
        self._activities.take_back()
        self._problems.clear()

    async def _pause(self) -> None:
        """Sleep until something comes in or comes due."""
        due = self._backend.next_due()
        delays = self._postponed.ends()
        if self._code_threads.is_busy:
            delays.append(LONG_SECONDS)
        if self._activities.unsaved:
            delays.append(_FLUSH_SECONDS)
        if due is not None:
            delays += [(due - self._clock.now()).total_seconds(), _LONGEST_PAUSE_SECONDS]
        alarm = None
        if delays:
            loop = asyncio.get_running_loop()
            alarm = loop.call_later(max(0.0, min(delays)), self._wakeup.set)
        await self._wakeup.wait()
        if alarm is not None:
            alarm.cancel()
