"""Does the work of a hub: takes it from the backend, runs it, commits the outcome.

One loop on one thread. Each round works for a few milliseconds at most and ends in a flush: all of
it is written in one transaction, and only then do activities start and requests get their answer.
"""

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, NamedTuple, Protocol

from devhost import history, work
from devhost.backend import ActivityWork, Backend, EntityWork, OrchestrationWork, Outcome
from devhost.clock import Clock
from devhost.diagnosis import Finding
from devhost.errors import DevhostError, FunctionFailed, HubFull
from devhost.functions import Function, FunctionTable
from devhost.history import Event
from devhost.scheduled import HTTP_ACTIVITY
from devhost.settings import Settings
from devhost.threads import DaemonPool
from devhost.work import NotForThisApp

log = logging.getLogger(__name__)

_ROUND_SECONDS: Final = 0.008  # of work, before requests get their turn
_LONG_HISTORY: Final = 300  # events; from here on the replay leaves the front's thread
_COSTLY_SECONDS: Final = 0.001  # an episode of this length is worth saving
_LONGEST_GATHERING: Final = 1.0  # seconds
_RETRY_SECONDS: Final = 0.25  # after the disk took nothing
_GRACE_SECONDS: Final = 0.5  # for a replay under way, when devhost stops
_LONGEST_PAUSE_SECONDS: Final = 1.0  # a machine that slept, or is set right, is ahead of its loop
_NEVER: Final = sys.maxsize
_STOPPING: Final = "devhost is stopping; try again when it has started anew."

Tell = Callable[[str, str, Finding], None]  # instance id, name, finding


class Caller(Protocol):
    """Calls the functions of the app."""

    def orchestrate(self, function: Function, body: str) -> str: ...

    def operate(self, function: Function, body: str) -> str: ...

    async def activity(
        self, function: Function, input_text: str, instance_id: str, client_payload: str
    ) -> str: ...


class _Gathering(NamedTuple):
    until: float  # by time.perf_counter
    least: int  # completions


class Engine:
    """The work loop of a hub."""

    def __init__(
        self,
        backend: Backend,
        table: FunctionTable,
        caller: Caller,
        clock: Clock,
        settings: Settings,
        call_http: Callable[[str], Awaitable[str]],
        tell: Tell,
        client_payload: str = "",
    ) -> None:
        self._backend = backend
        self._table = table
        self._caller = caller
        self._clock = clock
        self._settings = settings
        self._call_http = call_http
        self._tell = tell
        self._client_payload = client_payload
        limit = settings.function_timeout
        self._time_limit = limit.total_seconds() if limit else None
        self._wakeup = asyncio.Event()
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._losses = backend.losses  # when the round began
        self._is_full = False
        self._is_down = False  # the loop has failed
        self._kinds = [self._work_off_entities, self._work_off_orchestrations]
        self._passed_over: dict[str, int] = {}  # in this round
        self._broken: dict[str, int] = {}  # instances on whose work devhost itself failed
        self._replayed: list[tuple[OrchestrationWork, Outcome | Exception, float]] = []
        self._replays: set[asyncio.Task[None]] = set()
        self._replayer = DaemonPool(1)
        self._activities: set[asyncio.Task[None]] = set()
        self._ended: list[tuple[ActivityWork, Event]] = []
        self._unsaved: list[tuple[ActivityWork, Event]] = []
        self._gathering: dict[str, _Gathering] = {}  # by instance
        self._found: list[tuple[str, str, Finding]] = []

    def wake(self, target: str = "") -> None:
        """Something came in; from outside, for this instance, which does not let it wait."""
        self._gathering.pop(target, None)
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
        self._start_activities()
        if more:
            await asyncio.sleep(0)
        else:
            await self._pause()

    async def stop(self) -> None:
        """Let running episodes end and activities know; what did not end runs again next time."""
        self._stopping.set()
        self.wake()
        await self._stopped.wait()
        await self._end_tasks()
        if self._is_down:
            return
        try:
            self._commit_ended()
            self._commit_replayed()
            self._flush()
        except HubFull as full:
            log.error("%s What was lost is done again when it has started anew.", full)

    async def _end_tasks(self) -> None:
        for activity in self._activities:
            activity.cancel()
        await asyncio.gather(*self._activities, return_exceptions=True)
        if self._replays:
            await asyncio.wait(self._replays, timeout=_GRACE_SECONDS)
        self._replayer.close()
        for replay in self._replays:
            replay.cancel()
        await asyncio.gather(*self._replays, return_exceptions=True)

    # One round

    def _round(self) -> bool:
        """Work for a moment; whether there is more to do at once."""
        # Where there is little room, what one piece of work writes may still fit.
        until = time.perf_counter() + (0.0 if self._is_full else _ROUND_SECONDS)
        self._losses = self._backend.losses
        self._backend.release(self._clock.now())
        self._commit_ended()
        self._commit_replayed()
        self._passed_over = self._not_now()
        # In turns, or entities would wait until no orchestration has anything to do.
        self._kinds.reverse()
        return any(work_off(until) for work_off in self._kinds)

    def _work_off_orchestrations(self, until: float) -> bool:
        while orchestration := self._backend.next_orchestration(self._passed_over):
            self._run_episode(orchestration)
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
        self._unsaved.clear()
        if self._is_full:
            self._is_full = False
            log.warning("The hub can be written again.")
        self._answer(None)
        found, self._found = self._found, []
        for instance_id, name, finding in found:
            self._tell(instance_id, name, finding)
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
        self._ended = self._unsaved + self._ended
        self._unsaved = []
        self._found.clear()

    def _set_aside(self, instance_id: str, error: Exception, enough: int = _NEVER) -> None:
        """Leave an instance alone until it has enough messages, or devhost is started anew.

        A fault of devhost's own must not cost the others.
        """
        self._broken[instance_id] = self._passed_over[instance_id] = enough
        log.error(
            "%s: devhost failed at it and leaves it as it is. Please report this",
            instance_id,
            exc_info=error,
        )

    async def _pause(self) -> None:
        """Sleep until something comes in or comes due."""
        due = self._backend.next_due()
        delays = []
        if due is not None:
            delays += [(due - self._clock.now()).total_seconds(), _LONGEST_PAUSE_SECONDS]
        now = time.perf_counter()
        delays += [gathering.until - now for gathering in self._gathering.values()]
        try:
            async with asyncio.timeout(max(0.0, min(delays)) if delays else None):
                await self._wakeup.wait()
        except TimeoutError:
            pass

    # Orchestrations

    def _not_now(self) -> dict[str, int]:
        """Instances that gather completions, and how many of them are worth an episode at once."""
        now = time.perf_counter()
        over = [one for one, gathering in self._gathering.items() if gathering.until <= now]
        for instance_id in over:
            del self._gathering[instance_id]
        gathering = {one: gathering.least for one, gathering in self._gathering.items()}
        return gathering | self._broken

    def _gather(self, instance_id: str, least: int, cost: float) -> None:
        """After a costly episode let completions gather until something can come of them.

        Each episode replays all of the history, and while a group is waited for all it can show is
        a custom status. So one in between is due only after ten times as long as the last one
        took, and after a second at the latest.
        """
        if cost > _COSTLY_SECONDS and least > 1:
            pause = min(10 * cost, _LONGEST_GATHERING)
            self._gathering[instance_id] = _Gathering(time.perf_counter() + pause, least)
        else:
            self._gathering.pop(instance_id, None)

    def _run_episode(self, orchestration: OrchestrationWork) -> None:
        if len(orchestration.past) >= _LONG_HISTORY:
            replay = asyncio.create_task(self._replay(orchestration))
            self._replays.add(replay)
            replay.add_done_callback(self._replays.discard)
            return
        outcome, cost = self._attempt(orchestration)
        self._conclude(orchestration, outcome, cost)

    async def _replay(self, orchestration: OrchestrationWork) -> None:
        outcome, cost = await self._replayer.run(partial(self._attempt, orchestration))
        self._replayed.append((orchestration, outcome, cost))
        self.wake()

    def _attempt(self, orchestration: OrchestrationWork) -> tuple[Outcome | Exception, float]:
        """What became of an episode, and how many seconds it took."""
        began = time.perf_counter()
        try:
            outcome: Outcome | Exception = self._outcome(orchestration)
        except Exception as error:  # the top of a work loop: `_conclude` decides
            outcome = error
        return outcome, time.perf_counter() - began

    def _commit_replayed(self) -> None:
        while self._replayed:
            self._conclude(*self._replayed.pop(0))

    def _conclude(
        self, orchestration: OrchestrationWork, outcome: Outcome | Exception, cost: float
    ) -> None:
        if isinstance(outcome, NotForThisApp):
            self._refuse(orchestration, outcome)
        elif isinstance(outcome, Exception):
            self._backend.abandon_orchestration(orchestration)
            self._set_aside(orchestration.instance.id, outcome, len(orchestration.receipt) + 1)
        else:
            try:
                self._commit(orchestration, outcome, cost)
            except DevhostError:
                raise
            except Exception as error:  # the top of a work loop: nothing of it was kept
                self._set_aside(orchestration.instance.id, error, len(orchestration.receipt) + 1)

    def _outcome(self, orchestration: OrchestrationWork) -> Outcome:
        function = self._table.orchestrator(orchestration.instance.name)
        call = partial(self._caller.orchestrate, function) if function else None
        return work.orchestrate(orchestration, call, self._table, self._clock, self._settings)

    def _commit(self, orchestration: OrchestrationWork, outcome: Outcome, cost: float) -> None:
        instance = outcome.instance
        self._backend.commit_orchestration(orchestration, outcome)
        self._broken.pop(instance.id, None)
        self._note(instance.id, instance.name, outcome.findings)
        self._gather(instance.id, outcome.least, cost)

    def _refuse(self, orchestration: OrchestrationWork, refused: NotForThisApp) -> None:
        instance = orchestration.instance
        self._note(instance.id, instance.name, [refused.finding])
        self._backend.abandon_orchestration(orchestration)

    def _note(self, instance_id: str, name: str, findings: list[Finding]) -> None:
        if findings:
            new = self._backend.note(instance_id, findings, self._clock.now())
            self._found += [(instance_id, name, finding) for finding in new]

    # Entities

    def _run_entity(self, entity: EntityWork) -> None:
        function = self._table.entity(entity.id.split("@")[1])
        if function is None:
            self._backend.abandon_entity(entity)
            return
        try:
            outcome = work.operate(entity, partial(self._caller.operate, function), self._clock)
        except Exception:  # the entity function itself is broken; the host tries it again later
            log.exception("%s: the entity function failed outside any operation", entity.id)
            self._backend.abandon_entity(entity)
            return
        try:
            self._backend.commit_entity(entity, outcome)
            self._note(entity.id, function.durable_name, outcome.findings)
        except DevhostError:
            raise
        except Exception as error:  # the top of a work loop: nothing of it was kept
            self._set_aside(entity.id, error)

    # Activities

    def _start_activities(self) -> None:
        while len(self._activities) < self._settings.max_concurrent_activities:
            activity = self._backend.next_activity()
            if activity is None:
                return
            task = asyncio.create_task(self._run_activity(activity))
            self._activities.add(task)
            task.add_done_callback(self._activities.discard)

    async def _run_activity(self, activity: ActivityWork) -> None:
        try:
            event = await self._end_of(activity)
        except Exception as error:  # the top of a work loop: the orchestrator must hear of it
            log.exception("activity %s of %s: devhost failed", activity.name, activity.instance_id)
            failure = FunctionFailed(type(error).__name__, str(error), "")
            event = work.failed_activity(activity.task_id, activity.name, failure, self._clock)
        self._ended.append((activity, event))
        self.wake()

    async def _end_of(self, activity: ActivityWork) -> Event:
        task_id, name = activity.task_id, activity.name
        if name == HTTP_ACTIVITY:
            try:
                result = await self._call_http(activity.input)
            except OSError as error:
                return work.failed_http(task_id, str(error), self._clock)
            return history.task_completed(self._clock.now(), task_id, result)
        function = self._table.activity(name)
        if function is None:
            words = f"Activity function '{name}' failed: Activity function '{name}' does not exist."
            return history.task_failed(self._clock.now(), task_id, words, None)
        try:
            async with asyncio.timeout(self._time_limit):
                result = await self._caller.activity(
                    function, activity.input, activity.instance_id, self._client_payload
                )
        except TimeoutError:
            limit = self._settings.function_timeout
            failure = FunctionFailed(
                "FunctionTimeoutException",
                f"Timeout value of {limit} exceeded by function: Functions.{function.name}",
                "",
            )
            return work.failed_activity(task_id, name, failure, self._clock)
        except FunctionFailed as failure:
            log.warning("activity %s of %s failed: %s", name, activity.instance_id, failure)
            return work.failed_activity(task_id, name, failure, self._clock)
        return history.task_completed(self._clock.now(), task_id, result)

    def _commit_ended(self) -> None:
        while self._ended:
            activity, event = self._ended[0]
            self._backend.commit_activity(activity, event)
            self._unsaved.append(self._ended.pop(0))
