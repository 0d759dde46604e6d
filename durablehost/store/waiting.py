"""What waits, in memory, so that nothing is polled.

What a transaction makes as work is staged, and waits here only once that is on disk.
"""

import heapq
from collections import deque
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from durablehost.hub.backend import ActivityWork, Message, is_entity
from durablehost.hub.history import EXECUTION_STARTED, Event

_ENTITY_BATCH: Final = 200  # operations a batch, so that one busy entity does not hold up others


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message that may be worked on now."""

    number: int
    execution_id: str | None
    event: Event

    @property
    def is_start(self) -> bool:
        return bool(self.event["EventType"] == EXECUTION_STARTED)


class Inboxes:
    """Messages by the instance they are for. Whoever takes an instance's messages locks it."""

    def __init__(self) -> None:
        self._staged: list[tuple[int, Message]] = []
        self._purged: set[str] = set()
        self._delayed: list[tuple[datetime, int, Message]] = []
        self._inboxes: dict[str, list[Arrived]] = {}
        self._ready: dict[str, None] = {}
        self._ready_entities: dict[str, None] = {}
        self._taken: dict[str, list[Arrived]] = {}

    # From staged to ready

    def stage(self, number: int, message: Message) -> None:
        self._staged.append((number, message))

    def flush(self) -> bool:
        """What was staged is on disk; whether there was any."""
        staged, self._staged = self._staged, []
        if self._purged:
            self._delayed = [one for one in self._delayed if one[2].target not in self._purged]
            heapq.heapify(self._delayed)
            self._purged.clear()
        for number, message in staged:
            self.arrive(number, message)
        return bool(staged)

    def arrive(self, number: int, message: Message) -> None:
        if message.due is not None:
            heapq.heappush(self._delayed, (message.due, number, message))
            return
        arrived = Arrived(number, message.execution_id, message.event)
        self._inboxes.setdefault(message.target, []).append(arrived)
        if message.target not in self._taken:
            self._offer(message.target)

    def release(self, now: datetime) -> None:
        """Let messages that are due arrive."""
        while self._delayed and self._delayed[0][0] <= now:
            _, number, message = heapq.heappop(self._delayed)
            self.arrive(number, Message(message.target, message.event, message.execution_id))

    def next_due(self) -> datetime | None:
        return self._delayed[0][0] if self._delayed else None

    def _offer(self, target: str) -> None:
        (self._ready_entities if is_entity(target) else self._ready)[target] = None

    # Ready

    def next_orchestration(self, not_now: Mapping[str, int]) -> str | None:
        """One to look into next, unless it is to have more messages before."""
        enough = (one for one in self._ready if len(self._inboxes[one]) >= not_now.get(one, 0))
        instance_id = next(enough, None)
        if instance_id is not None:
            del self._ready[instance_id]
        return instance_id

    def next_entity(self, not_now: Container[str]) -> str | None:
        entity_id = next((one for one in self._ready_entities if one not in not_now), None)
        if entity_id is not None:
            del self._ready_entities[entity_id]
        return entity_id

    def take(self, target: str) -> list[Arrived]:
        return self._inboxes.pop(target, [])

    def take_batch(self, entity_id: str) -> list[Arrived]:
        arrived = self._inboxes.pop(entity_id, [])
        if rest := arrived[_ENTITY_BATCH:]:
            arrived, self._inboxes[entity_id] = arrived[:_ENTITY_BATCH], rest
        return arrived

    def leave(self, target: str, arrived: list[Arrived]) -> None:
        """Look at it again when more has come."""
        self._inboxes[target] = arrived

    # Locked

    def lock(self, target: str, taken: list[Arrived]) -> None:
        """What comes for it meanwhile waits for `unlock`."""
        self._taken[target] = taken

    def holds(self, target: str, receipt: Sequence[int]) -> bool:
        """Whether this is still locked; a loss, or another instance in its place, ends that."""
        taken = self._taken.get(target)
        return taken is not None and tuple(message.number for message in taken) == receipt

    def unlock(self, target: str) -> None:
        """What was taken is done."""
        self._taken.pop(target, None)
        if target in self._inboxes:
            self._offer(target)

    def put_back(self, target: str, receipt: Sequence[int]) -> None:
        """What was taken is not done, and is not to be tried again before more has come."""
        if self.holds(target, receipt):
            self._inboxes[target] = self._taken.pop(target) + self._inboxes.get(target, [])

    def purge(self, target: str) -> None:
        """Forget all that is for it; what is delayed goes with the next flush."""
        for waiting in (self._inboxes, self._taken, self._ready, self._ready_entities):
            waiting.pop(target, None)
        self._staged = [staged for staged in self._staged if staged[1].target != target]
        self._purged.add(target)


class ActivityQueue:
    """Activities, in order. Those that run go on running when unsaved work is lost."""

    def __init__(self) -> None:
        self._running: set[int] = set()
        self.fill(())

    def fill(self, activities: Iterable[ActivityWork]) -> None:
        """Begin anew with those of these that do not run."""
        self._waiting = deque(one for one in activities if one.receipt not in self._running)
        self._staged: list[ActivityWork] = []
        self._ending: list[int] = []  # their end is written, but not yet flushed

    def stage(self, activity: ActivityWork) -> None:
        self._staged.append(activity)

    def stage_end(self, activity: ActivityWork) -> None:
        self._ending.append(activity.receipt)

    def flush(self) -> None:
        """What was staged is on disk."""
        self._running.difference_update(self._ending)
        self._ending.clear()
        self._waiting.extend(self._staged)
        self._staged = []

    def take(self) -> ActivityWork | None:
        if not self._waiting:
            return None
        activity = self._waiting.popleft()
        self._running.add(activity.receipt)
        return activity

    def forget_running(self) -> None:
        """As a process does that is killed."""
        self._running.clear()
