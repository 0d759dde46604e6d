"""The backend in SQLite, in a file or in memory. `hub/backend.py` describes its methods.

It works on one thread. All writes until the next flush share a transaction. Activities start after
it. Waiting work is held in memory too, so that nothing is polled.
"""

import contextlib
import os
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import datetime
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Concatenate, ParamSpec, TypeVar

from durablehost.errors import HubFull, HubUnusable
from durablehost.hub.backend import (
    ActivityWork,
    Decision,
    EntityWork,
    Found,
    Instance,
    Message,
    OrchestrationWork,
    Query,
    Search,
    already_exists,
    is_entity,
)
from durablehost.hub.history import (
    EXECUTION_TERMINATED,
    Event,
    sub_orchestration_failed,
)
from durablehost.hub.problems import Problem, StoredProblem
from durablehost.store.database import MEMORY, Database
from durablehost.store.hubfile import HubLock
from durablehost.store.records import Records
from durablehost.store.searching import Searching
from durablehost.store.tables import Tables
from durablehost.store.waiting import ActivityQueue, Inboxes, StoredMessage, stored_message
from durablehost.store.waiting_rows import WaitingRows

__all__ = ["MEMORY", "SqliteBackend"]

P = ParamSpec("P")
T = TypeVar("T")


def _all_or_nothing(
    write: Callable[Concatenate["SqliteBackend", P], T],
) -> Callable[Concatenate["SqliteBackend", P], T]:
    """If the method fails, undo all since the last flush, in the file and in memory."""

    @wraps(write)
    def guarded(self: "SqliteBackend", /, *given: P.args, **named: P.kwargs) -> T:
        try:
            return write(self, *given, **named)
        except BaseException as error:
            self._lose()
            if isinstance(error, HubFull):
                self._database.make_room()
            raise

    return guarded


class SqliteBackend:
    """A task hub in a SQLite file. Only one durablehost process can open a file."""

    def __init__(self, path: Path | str) -> None:
        self.name = str(path) if str(path) == MEMORY else os.path.realpath(path)
        self.losses = 0
        self._activities = ActivityQueue()
        with contextlib.ExitStack() as opened:
            if self.name != MEMORY:
                opened.callback(HubLock(Path(self.name)).release)
            self._database = Database(self.name)
            opened.callback(self._database.close)
            self._tables = Tables(self._database)
            self._searching = Searching(self._database)
            self._waiting_rows = WaitingRows(self._database)
            self._load()
            self._opened = opened.pop_all()

    def _load(self) -> None:
        """Fill the queues from the tables, except for activities that run. Nothing is locked."""
        self._records = Records(self._tables)
        self._inboxes = Inboxes()
        self._is_shrinking = False
        for number, message in self._waiting_rows.messages():
            self._inboxes.arrive(stored_message(number, message))
        self._activities.fill(self._waiting_rows.activities())

    # Orchestrations

    @_all_or_nothing
    def next_orchestration(
        self, not_now: Mapping[str, int] = MappingProxyType({})
    ) -> OrchestrationWork | None:
        while (instance_id := self._inboxes.next_orchestration(not_now)) is not None:
            record = self._records.find(instance_id)
            arrived = self._inboxes.take(instance_id)
            wanted = [one for one in arrived if record and record.wants(one.execution_id)]
            if record is None or not wanted:
                self._waiting_rows.drop_messages([message.number for message in arrived])
                continue
            if not record.events:
                # First the start, then the events that the generation before has carried over. They
                # name their execution. Events that arrived meanwhile come after them.
                wanted.sort(key=lambda one: (not one.is_start, one.execution_id is None))
            receipt = self._inboxes.lock(instance_id, arrived)
            return OrchestrationWork(
                record.instance,
                record.events,
                record.texts,
                [self._event(message) for message in wanted],
                receipt,
            )
        return None

    @_all_or_nothing
    def commit_orchestration(self, work: OrchestrationWork, decision: Decision) -> None:
        if not self._inboxes.holds(work.instance.id, work.receipt):
            return
        self._waiting_rows.drop_messages(work.receipt)
        self._save(decision)
        self._inboxes.unlock(work.instance.id)

    # Entities

    @_all_or_nothing
    def next_entity(self, not_now: Container[str] = ()) -> EntityWork | None:
        while (entity_id := self._inboxes.next_entity(not_now)) is not None:
            arrived = self._inboxes.take_batch(entity_id)
            if not arrived:
                continue
            record = self._records.find(entity_id)
            receipt = self._inboxes.lock(entity_id, arrived)
            return EntityWork(
                entity_id,
                record.instance if record else None,
                [self._event(message) for message in arrived],
                receipt,
            )
        return None

    @_all_or_nothing
    def commit_entity(self, work: EntityWork, decision: Decision) -> None:
        if not self._inboxes.holds(work.id, work.receipt):
            return
        self._waiting_rows.drop_messages(work.receipt)
        if work.instance is None:
            self._records.insert(decision.instance)
        self._save(decision)
        self._inboxes.unlock(work.id)

    def abandon(self, work: OrchestrationWork | EntityWork) -> bool:
        return self._inboxes.put_back(work.target, work.receipt)

    def awaits(self, work: OrchestrationWork | EntityWork) -> bool:
        return self._inboxes.holds(work.target, work.receipt) and not self._inboxes.has(
            work.target, EXECUTION_TERMINATED
        )

    # Activities

    def next_activity(self) -> ActivityWork | None:
        return self._activities.take()

    @_all_or_nothing
    def commit_activity(self, work: ActivityWork, event: Event) -> None:
        self._waiting_rows.drop_activity(work.receipt)
        self._send(Message(work.instance_id, event, work.execution_id))
        self._activities.stage_end(work)

    # What clients ask for

    @_all_or_nothing
    def create(self, instance: Instance, first: Message) -> None:
        self._create(instance, first)

    def _create(self, instance: Instance, first: Message) -> None:
        self._purge(instance.id)
        self._records.insert(instance)
        self._send(first)

    @_all_or_nothing
    def send(self, message: Message) -> None:
        self._send(message)

    def _send(self, message: Message) -> None:
        number = self._waiting_rows.add_message(message)
        self._inboxes.arrive(stored_message(number, message))

    def _event(self, message: StoredMessage) -> Event:
        return message.event or self._waiting_rows.event_of_message(message.number)

    @_all_or_nothing
    def rewrite(self, instance: Instance, events: Sequence[Event], first: Message | None) -> None:
        self._save(Decision(instance, list(events), new_generation=True), keep_events=True)
        if first is not None:
            self._send(first)

    @_all_or_nothing
    def instance(self, instance_id: str) -> Instance | None:
        return self._records.instance(instance_id)

    @_all_or_nothing
    def history(self, instance_id: str) -> list[Event]:
        record = self._records.find(instance_id)
        return list(record.events) if record else []

    @_all_or_nothing
    def list_instances(self, query: Query) -> list[Instance]:
        self._records.write()
        return self._tables.instances(query)

    @_all_or_nothing
    def search(self, search: Search) -> list[Found]:
        self._records.write()
        return self._searching.page(search)

    @_all_or_nothing
    def count(self, search: Search) -> dict[str, int]:
        self._records.write()
        return self._searching.count(search)

    @_all_or_nothing
    def orchestrators(self) -> list[str]:
        self._records.write()
        return self._searching.names()

    def copy_to(self, path: Path) -> None:
        """Write the hub to another file."""
        self._database.copy_to(str(path))

    def changes(self) -> int:
        return self._database.changes()

    @_all_or_nothing
    def purge(self, instance_ids: Iterable[str]) -> int:
        purged = sum([self._purge(instance_id) for instance_id in instance_ids])
        self._is_shrinking = self._is_shrinking or purged > 0
        return purged

    def _purge(self, instance_id: str) -> bool:
        purged = self._records.purge(instance_id)
        if purged or is_entity(instance_id):
            # Until its first operations have ended, an entity consists of messages only.
            purged = self._waiting_rows.drop_messages_for(instance_id) or purged
        if purged:
            self._inboxes.purge(instance_id)
        return purged

    # Problems, and what the host keeps

    def problems(self, instance_id: str | None = None) -> list[StoredProblem]:
        return self._tables.problems(instance_id)

    @_all_or_nothing
    def note(self, instance_id: str, problems: Iterable[Problem], at: datetime) -> list[Problem]:
        return [problem for problem in problems if self._tables.note(instance_id, problem, at)]

    def get_value(self, key: str) -> str | None:
        return self._tables.value(key)

    @_all_or_nothing
    def put_value(self, key: str, value: str) -> None:
        self._tables.keep_value(key, value)

    # Time

    def release(self, now: datetime) -> None:
        self._inboxes.release(now)

    def next_due(self) -> datetime | None:
        return self._inboxes.next_due()

    # Writing

    def can_wait(self) -> bool:
        return not (self._records.unwritten or self._database.in_transaction or self._is_shrinking)

    @_all_or_nothing
    def flush(self) -> bool:
        self._commit()
        self._activities.flush()
        if self._is_shrinking:
            self._is_shrinking = self._database.shrink()
        return self._is_shrinking

    def _commit(self) -> None:
        self._records.write()
        self._waiting_rows.write()
        self._database.commit()

    def _lose(self) -> None:
        self.losses += 1
        self._database.roll_back()
        self._waiting_rows.forget_unwritten()
        self._load()

    def lose_unsaved(self) -> None:
        """Lose what a killed process loses: all since the last flush, and the work under way."""
        self._activities.forget_running()
        self._lose()

    def close(self) -> None:
        # If this fails, no caller has been told that it was saved.
        with self._opened, contextlib.suppress(HubFull, HubUnusable):
            self._commit()

    def _save(self, decision: Decision, *, keep_events: bool = False) -> None:
        instance = decision.instance
        record = self._records.find(instance.id)
        if record is None:
            return
        if decision.new_generation:
            self._records.begin_anew(record)
        if decision.events and (keep_events or not decision.new_generation):
            self._records.append(record, decision.events)
        self._records.update(record, instance)
        for new in decision.activities:
            self._activities.stage(self._waiting_rows.add_activity(instance, new))
        for child, first in decision.children:
            self._add_child(child, first)
        for message in decision.messages:
            self._send(message)
        self._records.settle(instance)

    def _add_child(self, child: Instance, first: Message) -> None:
        """Start a child. If its id is in use, the call fails in the parent."""
        existing = self.instance(child.id)
        if existing is None or existing.ended:
            self._create(child, first)
            return
        assert child.parent is not None
        words = already_exists(existing)
        event = sub_orchestration_failed(child.created, child.parent.task_id, words, None)
        self._send(Message(child.parent.instance_id, event, child.parent.execution_id))
