"""The task hub in SQLite: one file, or memory; see `backend.py` for what it promises.

All is done on one thread. Writes of one moment share a transaction, which `flush` ends; what they
made as work is staged until then. What waits is held in memory too, so that nothing is polled.
"""

import contextlib
import heapq
import json
import sqlite3
from collections import OrderedDict, deque
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from devhost.backend import (
    ActivityWork,
    EntityWork,
    Instance,
    Message,
    OrchestrationWork,
    Outcome,
    Parent,
    Problem,
    Query,
    is_entity,
)
from devhost.database import MEMORY, Database, Row
from devhost.diagnosis import Finding
from devhost.errors import HubFull, HubUnusable
from devhost.history import (
    EXECUTION_STARTED,
    Event,
    read_stamp,
    stamp,
    sub_orchestration_failed,
    to_text,
)
from devhost.hubfile import HubLock

__all__ = ["MEMORY", "SqliteBackend"]

_CACHED: Final = 50_000  # instances and events at rest, so that memory stays bounded
_ENTITY_BATCH: Final = 200  # operations a batch, so that one busy entity does not hold up others
_COLUMNS: Final = (
    "number, id, name, version, execution_id, generation, status, input, output, custom_status,"
    " created, updated, parent"
)


@dataclass(slots=True)
class _Record:
    """An instance and its history, as read or last written."""

    number: int
    instance: Instance
    parts: int
    events: list[Event]
    texts: list[str]


@dataclass(frozen=True, slots=True)
class _Arrived:
    number: int
    execution_id: str | None
    event: Event


P = ParamSpec("P")
T = TypeVar("T")


def _all_or_nothing(
    write: Callable[Concatenate["SqliteBackend", P], T],
) -> Callable[Concatenate["SqliteBackend", P], T]:
    """Where it fails half-way, nothing since the last flush happened, in the file and in memory."""

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
    """A task hub in one SQLite file. One devhost at a time has it open."""

    def __init__(self, path: Path | str) -> None:
        self.name = str(path)
        self.losses = 0
        self._running: set[int] = set()  # activities
        self._lock = HubLock(Path(path)) if self.name != MEMORY else None
        try:
            self._database = Database(self.name)
        except HubUnusable:
            self._release_lock()
            raise
        try:
            self._load()
        except HubUnusable:
            self._database.close()
            self._release_lock()
            raise

    def _load(self) -> None:
        """Fill the queues from the tables, but for the activities that run. Nothing is locked."""
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._cached = 0
        self._taken: dict[str, list[_Arrived]] = {}
        self._ending: list[int] = []  # activities whose end is written, but not yet flushed
        self._purged: set[str] = set()
        self._is_shrinking = False
        self._staged_messages: list[tuple[int, Message]] = []
        self._staged_activities: list[ActivityWork] = []
        self._inbox: dict[str, list[_Arrived]] = {}
        self._ready: dict[str, None] = {}
        self._ready_entities: dict[str, None] = {}
        self._delayed: list[tuple[datetime, int, Message]] = []
        self._activities: deque[ActivityWork] = deque()
        for number, target, execution_id, due, text in self._database.read(
            "SELECT number, target, execution_id, due, event FROM messages ORDER BY number"
        ):
            when = read_stamp(due) if due else None
            self._arrive(number, Message(target, self._parsed(text), execution_id, when))
        rows = self._database.read(
            "SELECT number, instance_id, execution_id, task_id, name, input"
            " FROM activities ORDER BY number"
        )
        self._activities.extend(ActivityWork(*row) for row in rows if row[0] not in self._running)

    # Orchestrations

    @_all_or_nothing
    def next_orchestration(
        self, not_now: Mapping[str, int] = MappingProxyType({})
    ) -> OrchestrationWork | None:
        while True:
            enough = (one for one in self._ready if len(self._inbox[one]) >= not_now.get(one, 0))
            instance_id = next(enough, None)
            if instance_id is None:
                return None
            del self._ready[instance_id]
            record = self._record(instance_id)
            arrived = self._inbox.pop(instance_id, [])
            wanted = [message for message in arrived if _is_for(message, record)]
            if record is None or not wanted:
                self._drop_messages([message.number for message in arrived])
                continue
            if not record.events:
                wanted.sort(key=_is_start, reverse=True)  # what came meanwhile comes after it
                if not _is_start(wanted[0]):
                    # Its new generation begins with the next flush, and all waits for that.
                    self._inbox[instance_id] = arrived
                    continue
            self._taken[instance_id] = arrived
            return OrchestrationWork(
                record.instance,
                record.events,
                record.texts,
                [message.event for message in wanted],
                tuple(message.number for message in arrived),
            )

    @_all_or_nothing
    def commit_orchestration(self, work: OrchestrationWork, outcome: Outcome) -> None:
        if not self._holds(work.instance.id, work.receipt):
            return
        self._drop_messages(work.receipt)
        self._save(outcome)
        self._unlock(work.instance.id)

    def abandon_orchestration(self, work: OrchestrationWork) -> None:
        self._put_back(work.instance.id, work.receipt)

    # Entities

    def next_entity(self, not_now: Container[str] = ()) -> EntityWork | None:
        while True:
            entity_id = next((one for one in self._ready_entities if one not in not_now), None)
            if entity_id is None:
                return None
            del self._ready_entities[entity_id]
            arrived = self._inbox.pop(entity_id, [])
            if not arrived:
                continue
            if rest := arrived[_ENTITY_BATCH:]:
                arrived, self._inbox[entity_id] = arrived[:_ENTITY_BATCH], rest
            record = self._record(entity_id)
            self._taken[entity_id] = arrived
            return EntityWork(
                entity_id,
                record.instance if record else None,
                [message.event for message in arrived],
                tuple(message.number for message in arrived),
            )

    @_all_or_nothing
    def commit_entity(self, work: EntityWork, outcome: Outcome) -> None:
        if not self._holds(work.id, work.receipt):
            return
        self._drop_messages(work.receipt)
        if work.instance is None:
            self._insert(outcome.instance)
        self._save(outcome)
        self._unlock(work.id)

    def abandon_entity(self, work: EntityWork) -> None:
        self._put_back(work.id, work.receipt)

    def _holds(self, target: str, receipt: Sequence[int]) -> bool:
        """Whether this is still locked; a loss, or another instance in its place, ends that."""
        taken = self._taken.get(target)
        return taken is not None and tuple(message.number for message in taken) == receipt

    def _unlock(self, target: str) -> None:
        self._taken.pop(target, None)
        if target in self._inbox:
            self._offer(target)

    def _put_back(self, target: str, receipt: Sequence[int]) -> None:
        if self._holds(target, receipt):
            self._inbox[target] = self._taken.pop(target) + self._inbox.get(target, [])

    # Activities

    def next_activity(self) -> ActivityWork | None:
        if not self._activities:
            return None
        work = self._activities.popleft()
        self._running.add(work.receipt)
        return work

    @_all_or_nothing
    def commit_activity(self, work: ActivityWork, event: Event) -> None:
        self._write("DELETE FROM activities WHERE number = ?", (work.receipt,))
        self._send(Message(work.instance_id, event, work.execution_id))
        self._ending.append(work.receipt)

    def abandon_activity(self, work: ActivityWork) -> None:
        self._running.discard(work.receipt)
        self._activities.append(work)

    # What clients ask for

    @_all_or_nothing
    def create(self, instance: Instance, first: Message) -> None:
        self._create(instance, first)

    def _create(self, instance: Instance, first: Message) -> None:
        self._purge(instance.id)
        self._insert(instance)
        self._send(first)

    @_all_or_nothing
    def send(self, message: Message) -> None:
        self._send(message)

    def _send(self, message: Message) -> None:
        cursor = self._write(
            "INSERT INTO messages (target, execution_id, due, event) VALUES (?, ?, ?, ?)",
            (
                message.target,
                message.execution_id,
                stamp(message.due) if message.due else None,
                to_text(message.event),
            ),
        )
        assert cursor.lastrowid is not None
        self._staged_messages.append((cursor.lastrowid, message))

    @_all_or_nothing
    def rewrite(self, instance: Instance, events: Sequence[Event], first: Message | None) -> None:
        self._save(Outcome(instance, list(events), new_generation=True), keep_events=True)
        if first is not None:
            self._send(first)

    def instance(self, instance_id: str) -> Instance | None:
        record = self._records.get(instance_id)
        if record is not None:
            return record.instance
        row = self._row(instance_id)
        return self._instance(row) if row else None

    def history(self, instance_id: str) -> list[Event]:
        record = self._record(instance_id)
        return list(record.events) if record else []

    def list_instances(self, query: Query) -> list[Instance]:
        if not query.statuses:
            return self._page(query, None)
        pages = [self._page(query, status) for status in sorted(query.statuses)]
        found = sorted((one for page in pages for one in page), key=lambda one: one.id)
        return found if query.top is None else found[: query.top]

    def _page(self, query: Query, status: str | None) -> list[Instance]:
        conditions, values = ["id > ?"], [query.after]
        if query.prefix:
            conditions += ["id >= ?", "id < ?"]
            values += [query.prefix, query.prefix + "\U0010ffff"]
        if status is not None:
            conditions.append("status = ?")
            values.append(status)
        if query.created_from is not None:
            conditions.append("created >= ?")
            values.append(stamp(query.created_from))
        if query.created_to is not None:
            conditions.append("created <= ?")
            values.append(stamp(query.created_to))
        limit = "" if query.top is None else f" LIMIT {query.top}"
        rows = self._database.read(
            f"SELECT {_COLUMNS} FROM instances WHERE {' AND '.join(conditions)} ORDER BY id{limit}",
            values,
        )
        return [self._instance(row) for row in rows]

    @_all_or_nothing
    def purge(self, instance_ids: Iterable[str]) -> int:
        purged = sum([self._purge(instance_id) for instance_id in instance_ids])
        self._is_shrinking = self._is_shrinking or purged > 0
        return purged

    def _purge(self, instance_id: str) -> bool:
        rows = self._database.read("SELECT number FROM instances WHERE id = ?", (instance_id,))
        if not rows:
            return False
        self._forget(instance_id)
        for waiting in (self._inbox, self._taken, self._ready, self._ready_entities):
            waiting.pop(instance_id, None)
        self._write("DELETE FROM history WHERE instance = ?", rows[0])
        self._write("DELETE FROM instances WHERE number = ?", rows[0])
        self._write("DELETE FROM messages WHERE target = ?", (instance_id,))
        self._write("DELETE FROM problems WHERE instance_id = ?", (instance_id,))
        self._staged_messages = [
            staged for staged in self._staged_messages if staged[1].target != instance_id
        ]
        self._purged.add(instance_id)
        return True

    # Findings, and what the host keeps

    def problems(self, instance_id: str | None = None) -> list[Problem]:
        where, values = (
            ("", ()) if instance_id is None else ("WHERE instance_id = ?", (instance_id,))
        )
        rows = self._database.read(
            f"SELECT instance_id, kind, subject, text, at FROM problems {where} ORDER BY at", values
        )
        return [
            Problem(instance, kind, subject, text, read_stamp(at))
            for instance, kind, subject, text, at in rows
        ]

    @_all_or_nothing
    def note(self, instance_id: str, findings: Iterable[Finding], at: datetime) -> list[Finding]:
        return [
            finding
            for finding in findings
            if self._write(
                "INSERT OR IGNORE INTO problems VALUES (?, ?, ?, ?, ?)",
                (instance_id, finding.kind, finding.subject, finding.text, stamp(at)),
            ).rowcount
        ]

    def get_value(self, key: str) -> str | None:
        rows = self._database.read("SELECT value FROM kept WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    @_all_or_nothing
    def put_value(self, key: str, value: str) -> None:
        self._write("INSERT OR REPLACE INTO kept VALUES (?, ?)", (key, value))

    # Time

    def release(self, now: datetime) -> None:
        while self._delayed and self._delayed[0][0] <= now:
            _, number, message = heapq.heappop(self._delayed)
            self._arrive(number, Message(message.target, message.event, message.execution_id))

    def next_due(self) -> datetime | None:
        return self._delayed[0][0] if self._delayed else None

    # Writing

    @_all_or_nothing
    def flush(self) -> bool:
        self._database.commit()
        self._running.difference_update(self._ending)
        self._ending.clear()
        messages, self._staged_messages = self._staged_messages, []
        if self._purged:
            self._tidy()
        for number, message in messages:
            self._arrive(number, message)
        self._activities.extend(self._staged_activities)
        self._staged_activities = []
        if self._is_shrinking:
            self._is_shrinking = self._database.shrink()
        return bool(messages) or self._is_shrinking

    def _tidy(self) -> None:
        """Let go of what purged instances held."""
        self._delayed = [one for one in self._delayed if one[2].target not in self._purged]
        heapq.heapify(self._delayed)
        self._purged.clear()

    def _lose(self) -> None:
        self.losses += 1
        self._database.roll_back()
        self._load()

    def lose_unsaved(self) -> None:
        """What a killed process loses: all since the last flush, and what was being worked on."""
        self._running.clear()
        self._lose()

    def close(self) -> None:
        try:
            with contextlib.suppress(HubFull, HubUnusable):  # nobody was told that it happened
                self._database.commit()
        finally:
            self._database.close()
            self._release_lock()

    def _release_lock(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def _write(self, sql: str, values: Sequence[Any]) -> sqlite3.Cursor:
        return self._database.write(sql, values)

    def _save(self, outcome: Outcome, *, keep_events: bool = False) -> None:
        instance = outcome.instance
        record = self._record(instance.id)
        if record is None:
            return
        if outcome.new_generation:
            self._write("DELETE FROM history WHERE instance = ?", (record.number,))
            self._cached -= len(record.events)
            record.parts, record.events, record.texts = 0, [], []
        if outcome.events and (keep_events or not outcome.new_generation):
            texts = [to_text(event) for event in outcome.events]
            self._write(
                "INSERT INTO history VALUES (?, ?, ?)",
                (record.number, record.parts, f"[{', '.join(texts)}]"),
            )
            record.parts += 1
            # Not in place: the lists may be read by an episode on another thread.
            record.events = [*record.events, *outcome.events]
            record.texts = [*record.texts, *texts]
            self._cached += len(texts)
        self._update(record, instance)
        for activity in outcome.activities:
            self._add_activity(instance, activity.task_id, activity.name, activity.input)
        for child, first in outcome.children:
            self._add_child(child, first)
        for message in outcome.messages:
            self._send(message)
        if instance.ended:
            self._forget(instance.id)
        else:
            self._bound_cache()

    def _update(self, record: _Record, instance: Instance) -> None:
        record.instance = instance
        self._write(
            "UPDATE instances SET name = ?, version = ?, execution_id = ?, generation = ?,"
            " status = ?, input = ?, output = ?, custom_status = ?, created = ?, updated = ?"
            " WHERE number = ?",
            (*_values(instance)[1:11], record.number),
        )

    def _insert(self, instance: Instance) -> None:
        self._write(
            f"INSERT INTO instances ({_COLUMNS.removeprefix('number, ')})"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            _values(instance),
        )

    def _add_activity(self, instance: Instance, task_id: int, name: str, input_text: str) -> None:
        values = (instance.id, instance.execution_id, task_id, name, input_text)
        cursor = self._write(
            "INSERT INTO activities (instance_id, execution_id, task_id, name, input)"
            " VALUES (?, ?, ?, ?, ?)",
            values,
        )
        assert cursor.lastrowid is not None
        self._staged_activities.append(ActivityWork(cursor.lastrowid, *values))

    def _add_child(self, child: Instance, first: Message) -> None:
        """Start it; where its id is in use, the parent is told what a client would be."""
        existing = self.instance(child.id)
        if existing is None or existing.ended:
            self._create(child, first)
            return
        assert child.parent is not None
        words = f"An Orchestration instance with the status {existing.status} already exists."
        event = sub_orchestration_failed(child.created, child.parent.task_id, words, None)
        self._send(Message(child.parent.instance_id, event, child.parent.execution_id))

    def _drop_messages(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._write("DELETE FROM messages WHERE number = ?", (number,))

    # What waits, in memory

    def _arrive(self, number: int, message: Message) -> None:
        if message.due is not None:
            heapq.heappush(self._delayed, (message.due, number, message))
            return
        arrived = _Arrived(number, message.execution_id, message.event)
        self._inbox.setdefault(message.target, []).append(arrived)
        if message.target not in self._taken:
            self._offer(message.target)

    def _offer(self, target: str) -> None:
        (self._ready_entities if is_entity(target) else self._ready)[target] = None

    # Records

    def _row(self, instance_id: str) -> Row | None:
        rows = self._database.read(f"SELECT {_COLUMNS} FROM instances WHERE id = ?", (instance_id,))
        return rows[0] if rows else None

    def _record(self, instance_id: str) -> _Record | None:
        record = self._records.get(instance_id)
        if record is not None:
            self._records.move_to_end(instance_id)
            return record
        row = self._row(instance_id)
        if row is None:
            return None
        parts = self._database.read(
            "SELECT events FROM history WHERE instance = ? ORDER BY part", (row[0],)
        )
        events = [event for (text,) in parts for event in self._parsed(text)]
        record = _Record(row[0], self._instance(row), len(parts), events, [*map(to_text, events)])
        self._records[instance_id] = record
        self._cached += 1 + len(events)
        self._bound_cache()
        return record

    def _instance(self, row: Row) -> Instance:
        try:
            return _instance(row)
        except ValueError as error:
            raise self._database.damaged(error) from None

    def _parsed(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise self._database.damaged(error) from None

    def _forget(self, instance_id: str) -> None:
        record = self._records.pop(instance_id, None)
        if record is not None:
            self._cached -= 1 + len(record.events)

    def _bound_cache(self) -> None:
        while self._cached > _CACHED and len(self._records) > 1:
            self._forget(next(iter(self._records)))


def _is_for(message: _Arrived, record: _Record | None) -> bool:
    return (
        record is not None
        and not record.instance.ended
        and message.execution_id in (None, record.instance.execution_id)
    )


def _is_start(message: _Arrived) -> bool:
    return bool(message.event["EventType"] == EXECUTION_STARTED)


def _instance(row: Row) -> Instance:
    _, instance_id, name, version, execution_id, generation, status, *rest = row
    input_text, output, custom_status, created, updated, parent = rest
    return Instance(
        instance_id,
        name,
        version,
        execution_id,
        generation,
        status,
        input_text,
        output,
        custom_status,
        read_stamp(created),
        read_stamp(updated),
        Parent(**json.loads(parent)) if parent else None,
    )


def _values(instance: Instance) -> tuple[Any, ...]:
    parent = instance.parent
    return (
        instance.id,
        instance.name,
        instance.version,
        instance.execution_id,
        instance.generation,
        instance.status,
        instance.input,
        instance.output,
        instance.custom_status,
        stamp(instance.created),
        stamp(instance.updated),
        json.dumps({name: getattr(parent, name) for name in Parent.__slots__}) if parent else None,
    )
