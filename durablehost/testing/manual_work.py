"""Does the work of a test hub: round by round, on a manual clock, until a crash is due."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from durablehost.app.functions import Function, FunctionTable
from durablehost.engine.rounds import Commit, Rounds
from durablehost.episodes.activity_ends import end_of
from durablehost.hub.backend import ActivityWork, Backend, Instance
from durablehost.hub.client import HubClient
from durablehost.hub.clock import ManualClock
from durablehost.hub.history import Event
from durablehost.settings import Settings
from durablehost.testing.explaining import Explainer
from durablehost.testing.shuffling import Shuffle
from durablehost.testing.stubs import Stubs
from durablehost.testing.timer_functions import TimerFunctions

_SPIN: Final = 10_000  # rounds in which no time passes: the app spins


class Stuck(AssertionError):
    """What the test waits for cannot happen any more."""


class Crashed(Exception):
    """The hub stopped as `crash_after` said. `hub.crash()` continues from what was saved."""


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((due for due in (one, other) if due is not None), default=None)


class ManualWork:
    """Works in the rounds of the engine, but flushes each commit and runs one thing at a time."""

    def __init__(
        self,
        backend: Backend,
        client: HubClient,
        table: FunctionTable,
        stubs: Stubs,
        clock: ManualClock,
        settings: Settings,
        run_activity: Callable[[ActivityWork], Awaitable[str]],
        explainer: Explainer,
        timers: TimerFunctions,
        fire: Callable[[Function, object], Awaitable[None]],
        shuffle: Shuffle,
    ) -> None:
        self._backend = backend
        self._client = client
        self._clock = clock
        self._run_activity = run_activity
        self._explainer = explainer
        self._timers = timers
        self._fire = fire
        self._shuffle = shuffle
        self._rounds = Rounds(backend, table, stubs, clock, settings)
        self._takes: dict[str, timedelta] = {}  # names ignore case
        self._under_way: list[tuple[datetime, ActivityWork]] = []  # and when each is done
        self._running: set[asyncio.Future[Event]] = set()  # also by other calls of the test
        self._ends: list[tuple[ActivityWork, Event]] = []  # of activities that have run
        self._commits_left: int | None = None

    # Time

    async def until_idle(self) -> None:
        """Work until nothing more can be done at this moment."""
        for _ in range(_SPIN):
            if not await self._round():
                return
        raise Stuck(f"the app was still busy after {_SPIN} rounds in which no time passed")

    async def advance(self, by: timedelta) -> None:
        """Let time pass, with everything that is due meanwhile, including timer functions."""
        until = self._clock.now() + by
        await self.until_idle()
        self._timers.begin(self._clock.now())
        while (due := _earlier(self._next_due(), self._timers.next_due())) and due <= until:
            await self._jump_to(due)
            for function, request in self._timers.fire_due(due):
                await self._fire(function, request)
                await self.until_idle()
        self._clock.move_to(until)

    async def until(
        self, reached: Callable[[Instance], bool], instance_id: str, within: timedelta
    ) -> Instance:
        """Let time pass until an instance fulfils a condition. Raises Stuck, InstanceNotFound."""
        __tracebackhide__ = True
        until = self._clock.now() + within
        await self.until_idle()
        while not reached(instance := self._client.status(instance_id)):
            due = self._next_due()
            if self._running:
                await asyncio.wait(self._running)
                await self.until_idle()
            elif due is None or due > until:
                raise Stuck(self._why_stuck(instance, within if due else None))
            else:
                await self._jump_to(due)
        return instance

    def _why_stuck(self, instance: Instance, within: timedelta | None) -> str:
        why = f"within {within}" if within else "because nothing that runs could change it"
        return f"this instance does not get there {why}:\n{self._explainer.explain(instance)}"

    def _next_due(self) -> datetime | None:
        """When there is work again, if no request arrives before."""
        due = [done for done, _ in self._under_way]
        if (stored := self._backend.next_due()) is not None:
            due.append(stored)
        return min(due, default=None)

    async def _jump_to(self, due: datetime) -> None:
        if due > self._clock.now():
            self._clock.move_to(due)
        if self._shuffle.toss():
            await self._run_activities()  # before the timers of the same moment
        await self.until_idle()

    def slow_down(self, activity: str, takes: timedelta) -> None:
        """Make each call take this long. It has its effects at the end."""
        self._takes[activity.lower()] = takes

    # Crashes

    def crash_after(self, commits: int) -> None:
        """Crash at the nth commit from now: the commit is lost, and `Crashed` is raised."""
        self._commits_left = commits

    def forget_running(self) -> None:
        """Forget what ran when the process crashed, and the planned crash."""
        self._commits_left = None
        self._under_way = []
        self._ends = []

    def _count_commit(self) -> None:
        if self._commits_left is not None:
            self._commits_left -= 1
            if self._commits_left <= 0:
                raise Crashed

    # One round

    async def _round(self) -> bool:
        """Do everything that is ready, once. Returns whether there was anything."""
        self._backend.flush()
        did = 0
        ended, first = self._ended(), self._shuffle.toss()
        for commit in self._rounds.next_round(ended, entities_first=first):
            self._count_commit()
            commit()
            self._backend.flush()
            did += 1
        return did + await self._run_activities() + len(self._ends) > 0

    def _ended(self) -> Iterator[Commit]:
        """The commits of activities that have ended. More may follow in the next round."""
        for activity, event in self._shuffle.take(self._ends):
            yield partial(self._backend.commit_activity, activity, event)

    async def _run_activities(self) -> int:
        """Run the activities that are due. Returns how many there were."""
        ends = self._ends  # if the hub crashes meanwhile, what ends here is lost
        now = self._clock.now()
        while activity := self._backend.next_activity():
            takes = self._takes.get(activity.name.lower(), timedelta())
            self._under_way.append((now + takes, activity))
        due = [activity for done, activity in self._under_way if done <= now]
        self._under_way = [(done, activity) for done, activity in self._under_way if done > now]
        running = [
            asyncio.ensure_future(end_of(activity, self._run_activity(activity), self._clock))
            for activity in due
        ]
        self._running.update(running)
        try:
            events = await asyncio.gather(*running)
        except asyncio.CancelledError:  # the test does not wait any longer: they run again
            if ends is self._ends:
                self._under_way += ((now, activity) for activity in due)
            raise
        finally:
            self._running.difference_update(running)
        ends += zip(due, events, strict=True)
        return len(due)
