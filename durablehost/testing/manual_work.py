"""Does the work of a test hub: round by round, on a clock moved by hand, until a crash is due."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from durablehost.app.functions import FunctionTable
from durablehost.calling.invoker import Invoker
from durablehost.episodes.activity_ends import end_of
from durablehost.episodes.entity_batch import run_entity_batch
from durablehost.episodes.episode import NotForThisApp, run_episode
from durablehost.hub.backend import ActivityWork, Backend, Instance
from durablehost.hub.client import Hub
from durablehost.hub.clock import ManualClock
from durablehost.settings import Settings

_SPIN: Final = 10_000  # rounds in which no time passes: the app spins


class Stuck(AssertionError):
    """What a test waits for cannot come any more."""


class Crashed(Exception):
    """The hub stopped where `crash_after` said. `hub.crash()` goes on from what was saved."""


class ManualWork:
    """What the engine does, with nothing beside it and in the same order each time."""

    def __init__(
        self,
        backend: Backend,
        hub: Hub,
        table: FunctionTable,
        invoker: Invoker,
        clock: ManualClock,
        settings: Settings,
        run_activity: Callable[[ActivityWork], Awaitable[str]],
    ) -> None:
        self._backend = backend
        self._hub = hub
        self._table = table
        self._invoker = invoker
        self._clock = clock
        self._settings = settings
        self._run_activity = run_activity
        self._takes: dict[str, timedelta] = {}
        self._under_way: list[tuple[datetime, ActivityWork]] = []  # and when each is done
        self._commits_left: int | None = None

    # Time

    async def until_idle(self) -> None:
        """Work until nothing is to do at this moment."""
        for _ in range(_SPIN):
            if not await self._round():
                return
        raise Stuck(f"the app was still busy after {_SPIN} rounds in which no time passed")

    async def advance(self, by: timedelta) -> None:
        """Let time pass, and everything happen that comes due meanwhile."""
        until = self._clock.now() + by
        await self.until_idle()
        while (due := self._next_due()) is not None and due <= until:
            await self._jump_to(due)
        self._clock.move_to(until)

    async def until(
        self, reached: Callable[[Instance], bool], instance_id: str, within: timedelta
    ) -> Instance:
        """Let time pass until an instance has come so far. Raises Stuck, InstanceNotFound."""
        until = self._clock.now() + within
        await self.until_idle()
        while not reached(instance := self._hub.status(instance_id)):
            due = self._next_due()
            if due is None or due > until:
                raise Stuck(self._why_stuck(instance, within if due else None))
            await self._jump_to(due)
        return instance

    def _why_stuck(self, instance: Instance, within: timedelta | None) -> str:
        said = [f"- {problem.text}" for problem in self._hub.problems(instance.id)]
        why = f"not within {within}" if within else "and nothing more is to come"
        return "\n".join(
            [
                f"{instance.id} ({instance.name}) is {instance.status},"
                f" custom status {instance.custom_status}: {why}",
                *said,
            ]
        )

    def _next_due(self) -> datetime | None:
        """When something is to do again, if nobody asks for anything before."""
        due = [done for done, _ in self._under_way]
        if (stored := self._backend.next_due()) is not None:
            due.append(stored)
        return min(due, default=None)

    async def _jump_to(self, due: datetime) -> None:
        if due > self._clock.now():
            self._clock.move_to(due)
        await self.until_idle()

    def slow_down(self, activity: str, takes: timedelta) -> None:
        """Let each call take so long; what it does, it does at the end."""
        self._takes[activity] = takes

    # Crashes

    def crash_after(self, commits: int) -> None:
        """Stop dead at the nth commit from now: it is lost, and `Crashed` is raised."""
        self._commits_left = commits

    def forget_running(self) -> None:
        """What was under way died with the process, and no crash is to come."""
        self._commits_left = None
        self._under_way.clear()

    def _count_commit(self) -> None:
        if self._commits_left is not None:
            self._commits_left -= 1
            if self._commits_left <= 0:
                raise Crashed

    # One round

    async def _round(self) -> bool:
        """Do all that is ready, once over; whether there was anything."""
        self._backend.release(self._clock.now())
        self._backend.flush()
        did = self._orchestrations() + self._entities()
        return did + await self._activities() > 0

    def _orchestrations(self) -> int:
        """Run what is ready, until an instance comes again: it may do so for ever."""
        did = 0
        seen: set[str] = set()
        while orchestration := self._backend.next_orchestration():
            did += 1
            instance = orchestration.instance
            function = self._table.orchestrator(instance.name)
            call = partial(self._invoker.orchestrate, function) if function else None
            try:
                decision = run_episode(
                    orchestration, call, self._table, self._clock, self._settings
                )
            except NotForThisApp as refused:
                self._backend.note(instance.id, [refused.problem], self._clock.now())
                self._backend.abandon_orchestration(orchestration)
                continue
            self._count_commit()
            self._backend.commit_orchestration(orchestration, decision)
            self._backend.note(instance.id, decision.problems, self._clock.now())
            self._backend.flush()
            if instance.id in seen:
                break
            seen.add(instance.id)
        return did

    def _entities(self) -> int:
        did = 0
        while entity := self._backend.next_entity():
            did += 1
            function = self._table.entity(entity.id.split("@")[1])
            if function is None:
                self._backend.abandon_entity(entity)
                continue
            decision = run_entity_batch(
                entity, partial(self._invoker.operate, function), self._clock
            )
            self._count_commit()
            self._backend.commit_entity(entity, decision)
            self._backend.note(entity.id, decision.problems, self._clock.now())
            self._backend.flush()
        return did

    async def _activities(self) -> int:
        now = self._clock.now()
        while activity := self._backend.next_activity():
            takes = self._takes.get(activity.name, timedelta())
            self._under_way.append((now + takes, activity))
        waiting = [activity for done, activity in self._under_way if done <= now]
        self._under_way = [(done, activity) for done, activity in self._under_way if done > now]
        events = await asyncio.gather(
            *(end_of(activity, self._run_activity(activity), self._clock) for activity in waiting)
        )
        for activity, event in zip(waiting, events, strict=True):
            self._count_commit()
            self._backend.commit_activity(activity, event)
            self._backend.flush()
        return len(waiting)
