"""Waiting work, in memory, so that nothing is polled.

Messages arrive at once: what they cause is written later than they are. Activities have effects
outside the hub, so they are staged until the transaction that creates them is on disk.
"""

import heapq
from collections import deque
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from durablehost.hub.backend import ActivityWork, Message, is_entity
from durablehost.hub.history import EXECUTION_STARTED, Event, size_of

_ENTITY_BATCH: Final = 200  # operations, so that one busy entity does not delay others
_LARGE: Final = 16_000  # characters of an event; a larger one stays on disk until it is taken


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message that is in the table of messages, too."""

    number: int
    target: str
    execution_id: str | None
    due: datetime | None
    event_type: int | None  # None for a request to an entity
    event: Event | None  # None if it is large: then it is read again when it is taken

    @property
    def is_start(self) -> bool:
        return self.event_type == EXECUTION_STARTED


def stored_message(number: int, message: Message) -> StoredMessage:
    event = message.event
    return StoredMessage(
        number,
        message.target,
        message.execution_id,
        message.due,
        event.get("EventType"),
        event if size_of(event) <= _LARGE else None,
    )


Receipt = tuple[int, ...]  # the numbers of the messages that were taken


class _Taken(NamedTuple):
    receipt: Receipt
    messages: list[StoredMessage]


class Inboxes:
    """The messages of each instance. Taking an instance's messages locks it."""

    def __init__(self) -> None:
        self._purged: set[str] = set()
        self._delayed: list[tuple[datetime, int, StoredMessage]] = []
        self._inboxes: dict[str, list[StoredMessage]] = {}
        self._ready: dict[str, None] = {}
        self._ready_entities: dict[str, None] = {}
        self._taken: dict[str, _Taken] = {}

    # Arriving

    def arrive(self, message: StoredMessage) -> None:
        """Deliver a message, or keep it until it is due."""
        if message.due is None:
            self._deliver(message)
            return
        if message.target in self._purged:
            self._forget_purged()
        heapq.heappush(self._delayed, (message.due, message.number, message))

    def _deliver(self, message: StoredMessage) -> None:
        self._inboxes.setdefault(message.target, []).append(message)
        if message.target not in self._taken:
            self._offer(message.target)

    def release(self, now: datetime) -> None:
        """Deliver the messages that are due."""
        self._forget_purged()
        while self._delayed and self._delayed[0][0] <= now:
            self._deliver(heapq.heappop(self._delayed)[2])

    def next_due(self) -> datetime | None:
        self._forget_purged()
        return self._delayed[0][0] if self._delayed else None

    def _forget_purged(self) -> None:
        if self._purged:
            self._delayed = [one for one in self._delayed if one[2].target not in self._purged]
            heapq.heapify(self._delayed)
            self._purged.clear()

    def _offer(self, target: str) -> None:
        (self._ready_entities if is_entity(target) else self._ready)[target] = None

    # Ready

    def next_orchestration(self, not_now: Mapping[str, int]) -> str | None:
        """The next instance with messages; one in `not_now` only if it has that many."""
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

    def take(self, target: str) -> list[StoredMessage]:
        return self._inboxes.pop(target, [])

    def take_batch(self, entity_id: str) -> list[StoredMessage]:
        arrived = self._inboxes.pop(entity_id, [])
        if rest := arrived[_ENTITY_BATCH:]:
            arrived, self._inboxes[entity_id] = arrived[:_ENTITY_BATCH], rest
        return arrived

    # Locked

    def lock(self, target: str, messages: list[StoredMessage]) -> Receipt:
        """Lock an instance. New messages for it wait for `unlock`."""
        receipt = tuple(message.number for message in messages)
        self._taken[target] = _Taken(receipt, messages)
        return receipt

    def holds(self, target: str, receipt: Receipt) -> bool:
        """Whether this piece of work is still locked. A loss or a purge ends that."""
        taken = self._taken.get(target)
        # By identity: after a loss, the same messages are taken again.
        return taken is not None and taken.receipt is receipt

    def unlock(self, target: str) -> None:
        """Unlock an instance. The messages that were taken are done."""
        self._taken.pop(target, None)
        if target in self._inboxes:
            self._offer(target)

    def put_back(self, target: str, receipt: Receipt) -> bool:
        """Unlock an instance and put its messages back, until another message arrives.

        Returns whether this piece of work was locked.
        """
        if not self.holds(target, receipt):
            return False
        arrived = self._inboxes.get(target, [])
        self._inboxes[target] = self._taken.pop(target).messages + arrived
        if arrived:
            self._offer(target)
        return True

    def has(self, target: str, event_type: int) -> bool:
        """Whether an event of this type has arrived and was not taken."""
        arrived = self._inboxes.get(target, [])
        return any(message.event_type == event_type for message in arrived)

    def purge(self, target: str) -> None:
        """Drop all messages for an instance; the delayed ones before any other is delivered."""
        for waiting in (self._inboxes, self._taken, self._ready, self._ready_entities):
            waiting.pop(target, None)
        self._purged.add(target)


class ActivityQueue:
    """Waiting activities, in order. The activities that run continue when unsaved work is lost."""

    def __init__(self) -> None:
        self._running: set[int] = set()
        self.fill(())

    def fill(self, activities: Iterable[ActivityWork]) -> None:
        """Start again with these activities, except for those that run."""
        self._waiting = deque(one for one in activities if one.receipt not in self._running)
        self._staged: list[ActivityWork] = []
        self._ending: list[int] = []  # their end is written, but not flushed

    def stage(self, activity: ActivityWork) -> None:
        self._staged.append(activity)

    def stage_end(self, activity: ActivityWork) -> None:
        self._ending.append(activity.receipt)

    def flush(self) -> None:
        """Release what was staged, which is on disk now."""
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
        """Forget which activities run, as a killed process does."""
        self._running.clear()
