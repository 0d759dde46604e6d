"""Does the work of a hub: takes it from the backend, runs it, commits the outcome.

One loop on one thread. Each round works for a few milliseconds at most and ends in a flush: all of
it is written in one transaction, and only then do activities start and requests get their answer.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, Protocol

from devhost import history, work
from devhost.actions import HTTP_ACTIVITY
from devhost.backend import ActivityWork, Backend, EntityWork, OrchestrationWork, Outcome
from devhost.clock import Clock
from devhost.diagnosis import Finding
from devhost.errors import FunctionFailed, HubFull
from devhost.functions import Function, FunctionTable
from devhost.history import Event
from devhost.settings import Settings
from devhost.work import NotForThisApp

log = logging.getLogger(__name__)

_ROUND_SECONDS: Final = 0.008  # of work, before requests get their turn
_LONG_HISTORY: Final = 300  # events; from here on the replay leaves the front's thread
_COSTLY_SECONDS: Final = 0.004  # an episode of this length is worth saving
_RETRY_SECONDS: Final = 1.0  # after the disk took nothing

Tell = Callable[[str, str, Finding], None]  # instance id, name, finding


class Caller(Protocol):
    """Calls the functions of the app."""

    def orchestrate(self, function: Function, body: str) -> str: ...

    def operate(self, function: Function, body: str) -> str: ...

    async def activity(
        self, function: Function, input_text: str, instance_id: str, client_payload: str
    ) -> str: ...


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
        self._stopping = False
        self._stopped = asyncio.Event()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._in_hand: list[OrchestrationWork | EntityWork] = []
        self._replayed: list[tuple[OrchestrationWork, Outcome | BaseException]] = []
        self._replays = 0
        self._replayer = ThreadPoolExecutor(1, "devhost-replay")
        self._activities: set[asyncio.Task[None]] = set()
        self._ended: list[tuple[ActivityWork, Event]] = []
        self._unsaved: list[tuple[ActivityWork, Event]] = []
        self._under_way: Counter[str] = Counter()  # activities, by instance
        self._not_before: dict[str, float] = {}
        self._found: list[tuple[str, str, Finding]] = []

    def wake(self) -> None:
        """Something came in."""
        self._wakeup.set()

    async def saved(self) -> None:
        """Return when what was written until now is on disk. Raises HubFull where it was lost."""
        saved = asyncio.get_running_loop().create_future()
        self._waiting.append((self._backend.losses, saved))
        self.wake()
        await saved

    async def run(self) -> None:
        """Work until `stop`."""
        while not self._stopping:
            self._wakeup.clear()
            try:
                more = self._round()
                more = self._flush() or more
            except HubFull as full:
                await self._recover(full)
                continue
            self._start_activities()
            if more:
                await asyncio.sleep(0)
            else:
                await self._pause()
        self._stopped.set()

    async def stop(self) -> None:
        """Let running episodes end and activities know; what did not end runs again next time."""
        self._stopping = True
        self.wake()
        await self._stopped.wait()
        for task in self._activities:
            task.cancel()
        await asyncio.gather(*self._activities, return_exceptions=True)
        self._replayer.shutdown(wait=True)
        self._commit_ended()
        self._commit_replayed()
        self._flush()

    # One round

    def _round(self) -> bool:
        """Work for a moment; whether there is more to do at once."""
        until = time.perf_counter() + _ROUND_SECONDS
        self._backend.release(self._clock.now())
        self._commit_ended()
        self._commit_replayed()
        cooling = self._cooling()
        while orchestration := self._backend.next_orchestration(cooling):
            self._in_hand.append(orchestration)
            self._run_episode(orchestration)
            if time.perf_counter() > until:
                return True
        while entity := self._backend.next_entity():
            self._in_hand.append(entity)
            self._run_entity(entity)
            if time.perf_counter() > until:
                return True
        return False

    def _flush(self) -> bool:
        """Save, answer who waits for it; whether that made more work."""
        more = self._backend.flush()
        self._in_hand.clear()
        self._unsaved.clear()
        for losses, saved in self._waiting:
            if saved.done():
                continue
            if losses == self._backend.losses:
                saved.set_result(None)
            else:
                saved.set_exception(HubFull("The hub could not be written; try again."))
        self._waiting.clear()
        found, self._found = self._found, []
        for instance_id, name, finding in found:
            self._tell(instance_id, name, finding)
        return more

    async def _recover(self, full: HubFull) -> None:
        """Nothing since the last flush happened: put it all back, say so, and wait."""
        log.error("%s", full)
        for _, saved in self._waiting:
            if not saved.done():
                saved.set_exception(full)
        self._waiting.clear()
        self._found.clear()
        for taken in self._in_hand:
            if isinstance(taken, EntityWork):
                self._backend.abandon_entity(taken)
            else:
                self._backend.abandon_orchestration(taken)
        self._in_hand.clear()
        self._ended = self._unsaved + self._ended
        self._unsaved = []
        await asyncio.sleep(_RETRY_SECONDS)

    async def _pause(self) -> None:
        """Sleep until something comes in or comes due."""
        due = self._backend.next_due()
        delays = [(due - self._clock.now()).total_seconds()] if due else []
        now = time.perf_counter()
        delays += [until - now for until in self._not_before.values()]
        try:
            async with asyncio.timeout(max(0.0, min(delays)) if delays else None):
                await self._wakeup.wait()
        except TimeoutError:
            pass

    # Orchestrations

    def _cooling(self) -> set[str]:
        """Instances whose last episode was costly and whose activities still come in.

        Each episode replays all of the history, so it pays to let completions gather: waiting as
        long as the last episode took at most doubles the time, and saves most of the replays.
        """
        now = time.perf_counter()
        for instance_id in [
            one
            for one, until in self._not_before.items()
            if until <= now or not self._under_way[one]
        ]:
            del self._not_before[instance_id]
        return set(self._not_before)

    def _run_episode(self, orchestration: OrchestrationWork) -> None:
        if len(orchestration.past) >= _LONG_HISTORY:
            self._in_hand.pop()
            self._replays += 1
            loop = asyncio.get_running_loop()
            replay = loop.run_in_executor(self._replayer, self._replay, orchestration)
            replay.add_done_callback(lambda _: self.wake())
            return
        began = time.perf_counter()
        try:
            outcome = self._outcome(orchestration)
        except NotForThisApp as refused:
            self._refuse(orchestration, refused)
            return
        self._commit(orchestration, outcome, time.perf_counter() - began)

    def _replay(self, orchestration: OrchestrationWork) -> None:
        began = time.perf_counter()
        outcome: Outcome | BaseException
        try:
            outcome = self._outcome(orchestration)
        except BaseException as error:  # handed to the loop's own thread, which decides
            outcome = error
        self._not_before[orchestration.instance.id] = 2 * time.perf_counter() - began
        self._replayed.append((orchestration, outcome))

    def _commit_replayed(self) -> None:
        while self._replayed:
            orchestration, outcome = self._replayed.pop(0)
            self._replays -= 1
            self._in_hand.append(orchestration)
            if isinstance(outcome, NotForThisApp):
                self._refuse(orchestration, outcome)
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                self._commit(orchestration, outcome, 0.0)

    def _outcome(self, orchestration: OrchestrationWork) -> Outcome:
        function = self._table.orchestrator(orchestration.instance.name)
        call = partial(self._caller.orchestrate, function) if function else None
        return work.orchestrate(orchestration, call, self._table, self._clock, self._settings)

    def _commit(self, orchestration: OrchestrationWork, outcome: Outcome, cost: float) -> None:
        instance = outcome.instance
        self._backend.commit_orchestration(orchestration, outcome)
        self._note(instance.id, instance.name, outcome.findings)
        if outcome.activities:
            self._under_way[instance.id] += len(outcome.activities)
        if cost > _COSTLY_SECONDS:
            self._not_before[instance.id] = time.perf_counter() + cost

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
        except HubFull:
            raise
        except Exception:  # the entity function itself is broken; the host tries it again later
            log.exception("%s: the entity function failed outside any operation", entity.id)
            self._backend.abandon_entity(entity)
            return
        self._backend.commit_entity(entity, outcome)
        self._note(entity.id, function.durable_name, outcome.findings)

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
        event = await self._end_of(activity)
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
            self._under_way[activity.instance_id] -= 1
            if self._under_way[activity.instance_id] <= 0:
                del self._under_way[activity.instance_id]
