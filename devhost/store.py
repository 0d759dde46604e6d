"""The task hub in SQLite: one file, or memory; see `backend.py` for what it promises.

All is done on one thread. Writes of one moment share a transaction, which `flush` ends; what they
made as work is staged until then. What waits is held in memory too, so that nothing is polled.
"""

import heapq
import json
import sqlite3
from collections import OrderedDict, deque
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from devhost import schema
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
)
from devhost.diagnosis import Finding
from devhost.errors import HubFull, HubUnusable
from devhost.history import Event, read_stamp, stamp, to_text
from devhost.hubfile import HubLock

MEMORY: Final = ":memory:"
_CACHED_EVENTS: Final = 50_000  # of histories at rest, so that memory stays bounded
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


class SqliteBackend:
    """A task hub in one SQLite file. One devhost at a time has it open."""

    def __init__(self, path: Path | str) -> None:
        self.name = str(path)
        self.losses = 0
        self._lock = HubLock(Path(path)) if self.name != MEMORY else None
        try:
            self._connection = self._open()
            self._load_all()
        except sqlite3.DatabaseError as error:
            self._release_lock()
            raise _unusable(self.name, error) from None
        except HubUnusable:
            self._release_lock()
            raise

    def _open(self) -> sqlite3.Connection:
        # Episodes of long histories run on another thread, but only this one speaks to SQLite.
        connection = sqlite3.connect(self.name, isolation_level=None, check_same_thread=False)
        for pragma in (
            "auto_vacuum = INCREMENTAL",
            "journal_mode = WAL",
            "synchronous = NORMAL",  # a killed process loses nothing; only a power cut might
            "temp_store = MEMORY",
            "cache_size = -16000",
        ):
            connection.execute(f"PRAGMA {pragma}")
        schema.prepare(connection, self.name)
        return connection

    def _load_all(self) -> None:
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._cached = 0
        self._taken: dict[str, tuple[int, ...]] = {}
        self._running: set[int] = set()
        self._ending: list[int] = []  # activities whose end is written, but not yet flushed
        self._in_transaction = False
        self._purged = False
        self._load_work()

    def _load_work(self) -> None:
        """Fill the queues from the tables, but for what is being worked on."""
        self._records.clear()
        self._cached = 0
        self._staged_messages: list[tuple[int, Message]] = []
        self._staged_activities: list[ActivityWork] = []
        self._inbox: dict[str, list[_Arrived]] = {}
        self._ready: dict[str, None] = {}
        self._ready_entities: dict[str, None] = {}
        self._delayed: list[tuple[datetime, int, Message]] = []
        self._activities: deque[ActivityWork] = deque()
        taken = {number for receipt in self._taken.values() for number in receipt}
        rows = self._connection.execute(
            "SELECT number, target, execution_id, due, event FROM messages ORDER BY number"
        )
        for number, target, execution_id, due, event in rows:
            if number not in taken:
                when = read_stamp(due) if due else None
                self._arrive(number, Message(target, json.loads(event), execution_id, when))
        rows = self._connection.execute(
            "SELECT number, instance_id, execution_id, task_id, name, input"
            " FROM activities ORDER BY number"
        )
        self._activities.extend(ActivityWork(*row) for row in rows if row[0] not in self._running)

    # Orchestrations

    def next_orchestration(self, not_now: Container[str] = ()) -> OrchestrationWork | None:
        while True:
            instance_id = next((one for one in self._ready if one not in not_now), None)
            if instance_id is None:
                return None
            del self._ready[instance_id]
            record = self._record(instance_id)
            arrived = self._inbox.pop(instance_id, [])
            receipt = tuple(message.number for message in arrived)
            wanted = [
                message.event
                for message in arrived
                if record is not None
                and not record.instance.ended
                and message.execution_id in (None, record.instance.execution_id)
            ]
            if record is None or not wanted:
                self._drop_messages(receipt)
                continue
            self._taken[instance_id] = receipt
            return OrchestrationWork(record.instance, record.events, record.texts, wanted, receipt)

    def commit_orchestration(self, work: OrchestrationWork, outcome: Outcome) -> None:
        self._drop_messages(work.receipt)
        self._save(outcome)
        self._unlock(work.instance.id)

    def abandon_orchestration(self, work: OrchestrationWork) -> None:
        self._put_back(work.instance.id, work.receipt)

    # Entities

    def next_entity(self) -> EntityWork | None:
        while self._ready_entities:
            entity_id = next(iter(self._ready_entities))
            del self._ready_entities[entity_id]
            arrived = self._inbox.pop(entity_id, [])
            if not arrived:
                continue
            if rest := arrived[_ENTITY_BATCH:]:
                arrived, self._inbox[entity_id] = arrived[:_ENTITY_BATCH], rest
            record = self._record(entity_id)
            receipt = tuple(message.number for message in arrived)
            self._taken[entity_id] = receipt
            return EntityWork(
                entity_id,
                record.instance if record else None,
                [message.event for message in arrived],
                receipt,
            )
        return None

    def commit_entity(self, work: EntityWork, outcome: Outcome) -> None:
        self._drop_messages(work.receipt)
        if work.instance is None:
            self._insert(outcome.instance)
        self._save(outcome)
        self._unlock(work.id)

    def abandon_entity(self, work: EntityWork) -> None:
        self._put_back(work.id, work.receipt)

    def _unlock(self, target: str) -> None:
        self._taken.pop(target, None)
        if target in self._inbox:
            self._offer(target)

    def _put_back(self, target: str, receipt: Sequence[int]) -> None:
        if self._taken.pop(target, None) is None:
            return
        marks = ",".join("?" * len(receipt))
        rows = self._connection.execute(
            f"SELECT number, execution_id, event FROM messages WHERE number IN ({marks})"
            " ORDER BY number",
            receipt,
        )
        back = [_Arrived(number, execution, json.loads(text)) for number, execution, text in rows]
        self._inbox[target] = back + self._inbox.get(target, [])

    # Activities

    def next_activity(self) -> ActivityWork | None:
        if not self._activities:
            return None
        work = self._activities.popleft()
        self._running.add(work.receipt)
        return work

    def commit_activity(self, work: ActivityWork, event: Event) -> None:
        self._write("DELETE FROM activities WHERE number = ?", (work.receipt,))
        self.send(Message(work.instance_id, event, work.execution_id))
        self._ending.append(work.receipt)

    def abandon_activity(self, work: ActivityWork) -> None:
        self._running.discard(work.receipt)
        self._activities.append(work)

    # What clients ask for

    def create(self, instance: Instance, first: Message) -> None:
        self.purge([instance.id])
        self._insert(instance)
        self.send(first)

    def send(self, message: Message) -> None:
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

    def rewrite(self, instance: Instance, events: Sequence[Event], first: Message | None) -> None:
        self._save(Outcome(instance, list(events), new_generation=True), keep_events=True)
        if first is not None:
            self.send(first)

    def instance(self, instance_id: str) -> Instance | None:
        record = self._records.get(instance_id)
        if record is not None:
            return record.instance
        row = self._row(instance_id)
        return _instance(row) if row else None

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
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM instances WHERE {' AND '.join(conditions)} ORDER BY id{limit}",
            values,
        )
        return [_instance(row) for row in rows]

    def purge(self, instance_ids: Iterable[str]) -> int:
        purged = 0
        for instance_id in instance_ids:
            row = self._connection.execute(
                "SELECT number FROM instances WHERE id = ?", (instance_id,)
            ).fetchone()
            if row is None:
                continue
            self._forget(instance_id)
            self._inbox.pop(instance_id, None)
            self._write("DELETE FROM history WHERE instance = ?", row)
            self._write("DELETE FROM instances WHERE number = ?", row)
            self._write("DELETE FROM messages WHERE target = ?", (instance_id,))
            self._write("DELETE FROM problems WHERE instance_id = ?", (instance_id,))
            purged += 1
        self._purged = self._purged or purged > 0
        return purged

    # Findings, and what the host keeps

    def problems(self, instance_id: str | None = None) -> list[Problem]:
        where, values = (
            ("", ()) if instance_id is None else ("WHERE instance_id = ?", (instance_id,))
        )
        rows = self._connection.execute(
            f"SELECT instance_id, kind, subject, text, at FROM problems {where} ORDER BY at", values
        )
        return [
            Problem(instance, kind, subject, text, read_stamp(at))
            for instance, kind, subject, text, at in rows
        ]

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
        row = self._connection.execute("SELECT value FROM kept WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

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

    def flush(self) -> bool:
        if self._in_transaction:
            try:
                self._connection.execute("COMMIT")
            except sqlite3.OperationalError as error:
                raise self._roll_back(error) from None
            self._in_transaction = False
        self._running.difference_update(self._ending)
        self._ending.clear()
        messages, self._staged_messages = self._staged_messages, []
        for number, message in messages:
            self._arrive(number, message)
        self._activities.extend(self._staged_activities)
        self._staged_activities = []
        if self._purged:
            self._purged = False
            self._connection.execute("PRAGMA incremental_vacuum").fetchall()
        return bool(messages)

    def lose_unsaved(self) -> None:
        """What a killed process loses: all since the last flush, and what was being worked on."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._load_all()

    def close(self) -> None:
        self.flush()
        self._connection.close()
        self._release_lock()

    def _release_lock(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def _write(self, sql: str, values: Sequence[Any]) -> sqlite3.Cursor:
        try:
            if not self._in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
                self._in_transaction = True
            return self._connection.execute(sql, values)
        except sqlite3.OperationalError as error:
            raise self._roll_back(error) from None

    def _roll_back(self, error: sqlite3.OperationalError) -> HubFull:
        """Forget all since the last flush, in the file and in memory."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._in_transaction = False
        self._ending.clear()
        self.losses += 1
        self._load_work()
        return HubFull(
            f"{self.name} could not be written: {error}. Nothing of this was kept."
            " Make room or make it writable; devhost tries again."
        )

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
            self.create(child, first)
        for message in outcome.messages:
            self.send(message)
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
        (self._ready_entities if target.startswith("@") else self._ready)[target] = None

    # Records

    def _row(self, instance_id: str) -> tuple[Any, ...] | None:
        cursor = self._connection.execute(
            f"SELECT {_COLUMNS} FROM instances WHERE id = ?", (instance_id,)
        )
        row: tuple[Any, ...] | None = cursor.fetchone()
        return row

    def _record(self, instance_id: str) -> _Record | None:
        record = self._records.get(instance_id)
        if record is not None:
            self._records.move_to_end(instance_id)
            return record
        row = self._row(instance_id)
        if row is None:
            return None
        parts = [
            text
            for (text,) in self._connection.execute(
                "SELECT events FROM history WHERE instance = ? ORDER BY part", (row[0],)
            )
        ]
        events = [event for part in parts for event in json.loads(part)]
        record = _Record(row[0], _instance(row), len(parts), events, [*map(to_text, events)])
        self._records[instance_id] = record
        self._cached += len(events)
        return record

    def _forget(self, instance_id: str) -> None:
        record = self._records.pop(instance_id, None)
        if record is not None:
            self._cached -= len(record.events)

    def _bound_cache(self) -> None:
        while self._cached > _CACHED_EVENTS and len(self._records) > 1:
            self._forget(next(iter(self._records)))


def _instance(row: Sequence[Any]) -> Instance:
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


def _unusable(name: str, error: sqlite3.DatabaseError) -> HubUnusable:
    return HubUnusable(
        f"{name} cannot be used as a hub: {error}."
        " Move it away to begin with an empty hub, or name another file with --data."
    )
