"""Does the work of a hub: takes it from the backend, runs it, commits the decision.

One loop on one thread. Each round works for a few milliseconds at most and ends in a flush: all of
it is written in one transaction, and only then do activities start and requests get their answer.
"""

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from durablehost.app.functions import Function, FunctionTable
from durablehost.engine.activities import Activities, ActivityRunner
from durablehost.engine.episode_runner import EpisodeRunner
from durablehost.engine.gathering import Gathering
from durablehost.episodes.entity_batch import run_entity_batch
from durablehost.episodes.episode import NotForThisApp
from durablehost.errors import DurablehostError, HubFull
from durablehost.hub.backend import Backend, Decision, EntityWork, OrchestrationWork
from durablehost.hub.clock import Clock
from durablehost.hub.problems import Problem
from durablehost.settings import Settings

log = logging.getLogger(__name__)

_ROUND_SECONDS: Final = 0.008  # of work, before requests get their turn
_RETRY_SECONDS: Final = 0.25  # after the disk took nothing
_LONGEST_PAUSE_SECONDS: Final = 1.0  # a machine that slept, or is set right, is ahead of its loop
_NEVER: Final = sys.maxsize
_STOPPING: Final = "durablehost is stopping; try again when it has started anew."

Tell = Callable[[str, str, Problem], None]  # instance id, name, problem


class Caller(Protocol):
    """Calls the orchestrators and entities of the app."""

    def orchestrate(self, function: Function, body: str) -> str: ...

    def operate(self, function: Function, body: str) -> str: ...


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
        tell: Tell,
    ) -> None:
        self._backend = backend
        self._table = table
        self._caller = caller
        self._clock = clock
        self._tell = tell
        self._wakeup = asyncio.Event()
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._losses = backend.losses  # when the round began
        self._is_full = False
        self._is_down = False  # the loop has failed
        self._kinds = [self._work_off_entities, self._work_off_orchestrations]
        self._passed_over: dict[str, int] = {}  # in this round
        self._broken: dict[str, int] = {}  # instances on whose work durablehost itself failed
        self._gathering = Gathering()
        self._episodes = EpisodeRunner(table, caller.orchestrate, clock, settings, self.wake)
        most = settings.max_concurrent_activities
        self._activities = Activities(backend, runner, most, self.wake)
        self._found: list[tuple[str, str, Problem]] = []

    def wake(self, target: str = "") -> None:
        """Something came in; from outside, for this instance, which does not let it wait."""
        self._gathering.end(target)
        self._wakeup.set()

    async def saved(self) -> None:
        """Return when what was written until now is on disk. Raises HubFull where it was lost."""
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
                await self._turn()
        except BaseException:
            self._is_down = True
            raise
        finally:
            self._stopped.set()
            self._answer(HubFull(_STOPPING))

    async def _turn(self) -> None:
        self._wakeup.clear()
        try:
            more = self._round()
            more = self._flush() or more
        except HubFull as full:
            await self._recover(full)
            return
        self._activities.start()
        if more:
            await asyncio.sleep(0)
        else:
            await self._pause()

    async def stop(self) -> None:
        """Let running episodes end and activities know; what did not end runs again next time."""
        self._stopping.set()
        self.wake()
        await self._stopped.wait()
        await self._activities.cancel()
        await self._episodes.stop()
        if self._is_down:
            return
        try:
            self._activities.commit_ended()
            self._commit_ended_episodes()
            self._flush()
        except HubFull as full:
            log.error("%s What was lost is done again when it has started anew.", full)

    # One round

    def _round(self) -> bool:
        """Work for a moment; whether there is more to do at once."""
        # Where there is little room, what one piece of work writes may still fit.
        until = time.perf_counter() + (0.0 if self._is_full else _ROUND_SECONDS)
        self._losses = self._backend.losses
        self._backend.release(self._clock.now())
        self._activities.commit_ended()
        self._commit_ended_episodes()
        self._passed_over = self._gathering.enough() | self._broken
        # In turns, or entities would wait until no orchestration has anything to do.
        self._kinds.reverse()
        return any(work_off(until) for work_off in self._kinds)

    def _work_off_orchestrations(self, until: float) -> bool:
        while orchestration := self._backend.next_orchestration(self._passed_over):
            if (attempt := self._episodes.run(orchestration)) is not None:
                self._conclude(orchestration, *attempt)
            if time.perf_counter() > until:
                return True
        return False

    def _work_off_entities(self, until: float) -> bool:
        while entity := self._backend.next_entity(self._broken):
            self._run_entity(entity)
            if time.perf_counter() > until:
                return True
        return False

    def _flush(self) -> bool:
        """Save, answer who waits for it; whether that made more work."""
        more = self._backend.flush()
        if self._losses != self._backend.losses:  # in mid-round, see _set_aside
            self._take_back()
            more = True
        self._activities.saved()
        if self._is_full:
            self._is_full = False
            log.warning("The hub can be written again.")
        self._answer(None)
        found, self._found = self._found, []
        for instance_id, name, problem in found:
            self._tell(instance_id, name, problem)
        return more

    def _answer(self, failure: HubFull | None) -> None:
        """Tell those who wait for what they wrote whether it is on disk."""
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
        """Nothing since the last flush happened: say so, and wait before all is done again."""
        if not self._is_full:
            log.error("%s", full)
        self._is_full = True
        self._answer(full)
        self._take_back()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RETRY_SECONDS):
                await self._stopping.wait()

    def _take_back(self) -> None:
        """After a loss: the store offers its work again; the ends of activities are here alone."""
        self._activities.take_back()
        self._found.clear()

    def _set_aside(self, instance_id: str, error: Exception, enough: int = _NEVER) -> None:
        """Leave an instance alone until it has enough messages, or durablehost is started anew.

        A fault of durablehost's own must not cost the others.
        """
        self._broken[instance_id] = self._passed_over[instance_id] = enough
        log.error(
            "%s: durablehost failed at it and leaves it as it is. Please report this",
            instance_id,
            exc_info=error,
        )

    async def _pause(self) -> None:
        """Sleep until something comes in or comes due."""
        due = self._backend.next_due()
        delays = self._gathering.ends()
        if due is not None:
            delays += [(due - self._clock.now()).total_seconds(), _LONGEST_PAUSE_SECONDS]
        try:
            async with asyncio.timeout(max(0.0, min(delays)) if delays else None):
                await self._wakeup.wait()
        except TimeoutError:
            pass

    # Orchestrations

    def _commit_ended_episodes(self) -> None:
        while (ended := self._episodes.next_ended()) is not None:
            orchestration, attempt = ended
            self._conclude(orchestration, *attempt)

    def _conclude(
        self, orchestration: OrchestrationWork, decision: Decision | Exception, cost: float
    ) -> None:
        if isinstance(decision, NotForThisApp):
            self._refuse(orchestration, decision)
        elif isinstance(decision, Exception):
            self._backend.abandon_orchestration(orchestration)
            self._set_aside(orchestration.instance.id, decision, len(orchestration.receipt) + 1)
        else:
            try:
                self._commit(orchestration, decision, cost)
            except DurablehostError:
                raise
            except Exception as error:  # the top of a work loop: nothing of it was kept
                self._set_aside(orchestration.instance.id, error, len(orchestration.receipt) + 1)

    def _commit(self, orchestration: OrchestrationWork, decision: Decision, cost: float) -> None:
        instance = decision.instance
        self._backend.commit_orchestration(orchestration, decision)
        self._broken.pop(instance.id, None)
        self._note(instance.id, instance.name, decision.problems)
        self._gathering.after(instance.id, decision.completions_needed, cost)

    def _refuse(self, orchestration: OrchestrationWork, refused: NotForThisApp) -> None:
        instance = orchestration.instance
        self._note(instance.id, instance.name, [refused.problem])
        self._backend.abandon_orchestration(orchestration)

    def _note(self, instance_id: str, name: str, problems: list[Problem]) -> None:
        if problems:
            new = self._backend.note(instance_id, problems, self._clock.now())
            self._found += [(instance_id, name, problem) for problem in new]

    # Entities

    def _run_entity(self, entity: EntityWork) -> None:
        function = self._table.entity(entity.id.split("@")[1])
        if function is None:
            self._backend.abandon_entity(entity)
            return
        try:
            decision = run_entity_batch(
                entity, partial(self._caller.operate, function), self._clock
            )
        except Exception:  # the entity function itself is broken; the host tries it again later
            log.exception("%s: the entity function failed outside any operation", entity.id)
            self._backend.abandon_entity(entity)
            return
        try:
            self._backend.commit_entity(entity, decision)
            self._note(entity.id, function.durable_name, decision.problems)
        except DurablehostError:
            raise
        except Exception as error:  # the top of a work loop: nothing of it was kept
            self._set_aside(entity.id, error)
