"""The rows of a hub: every statement on its tables.

`schema.py` creates the tables, `database.py` handles the errors of the file.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from durablehost.hub.backend import ActivityWork, Instance, Message, Parent, Query
from durablehost.hub.history import Event, read_stamp, stamp
from durablehost.hub.problems import Problem, StoredProblem
from durablehost.store.database import Database, Row

_COLUMNS: Final = (
    "number, id, name, version, execution_id, generation, status, input, output, custom_status,"
    " created, updated, parent"
)


class Tables:
    """Reads and writes rows. All raise what `Database` does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # Instances

    def instance(self, instance_id: str) -> tuple[int, Instance] | None:
        """An instance, and its number, by which its history is stored."""
        rows = self._database.read(f"SELECT {_COLUMNS} FROM instances WHERE id = ?", (instance_id,))
        return (rows[0][0], self._instance(rows[0])) if rows else None

    def number(self, instance_id: str) -> int | None:
        rows = self._database.read("SELECT number FROM instances WHERE id = ?", (instance_id,))
        return rows[0][0] if rows else None

    def instances(self, query: Query) -> list[Instance]:
        """The instances of a query, in order of their ids."""
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

    def insert(self, instance: Instance) -> int:
        """Add an instance. Returns its number."""
        cursor = self._database.write(
            f"INSERT INTO instances ({_COLUMNS.removeprefix('number, ')})"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            _values(instance),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def update(self, number: int, instance: Instance) -> None:
        self._database.write(
            "UPDATE instances SET name = ?, version = ?, execution_id = ?, generation = ?,"
            " status = ?, input = ?, output = ?, custom_status = ?, created = ?, updated = ?"
            " WHERE number = ?",
            (*_values(instance)[1:11], number),
        )

    def delete(self, number: int, instance_id: str) -> None:
        """Delete an instance with its history, its messages and its problems."""
        self.drop_history(number)
        self._database.write("DELETE FROM instances WHERE number = ?", (number,))
        self.drop_messages_for(instance_id)
        self._database.write("DELETE FROM problems WHERE instance_id = ?", (instance_id,))

    def drop_messages_for(self, target: str) -> bool:
        """Delete the messages for an instance. Returns whether there were any."""
        cursor = self._database.write("DELETE FROM messages WHERE target = ?", (target,))
        return cursor.rowcount > 0

    def _instance(self, row: Row) -> Instance:
        try:
            return _instance(row)
        except ValueError as error:
            raise self._database.damaged(error) from None

    # Histories, a part for each episode

    def history(self, number: int) -> list[list[Event]]:
        rows = self._database.read(
            "SELECT events FROM history WHERE instance = ? ORDER BY part", (number,)
        )
        return [self._parsed(text) for (text,) in rows]

    def add_history(self, number: int, part: int, texts: Sequence[str]) -> None:
        self._database.write(
            "INSERT INTO history VALUES (?, ?, ?)", (number, part, f"[{', '.join(texts)}]")
        )

    def drop_history(self, number: int) -> None:
        self._database.write("DELETE FROM history WHERE instance = ?", (number,))

    # Messages

    def messages(self) -> Iterator[tuple[int, Message, int]]:
        """All of them, oldest first, each with its number and the length of its event as text."""
        for number, target, execution_id, due, text in self._database.read_one_by_one(
            "SELECT number, target, execution_id, due, event FROM messages ORDER BY number"
        ):
            when = read_stamp(due) if due else None
            yield number, Message(target, self._parsed(text), execution_id, when), len(text)

    def event_of_message(self, number: int) -> Event:
        rows = self._database.read("SELECT event FROM messages WHERE number = ?", (number,))
        event: Event = self._parsed(rows[0][0])
        return event

    def add_message(self, message: Message, event_text: str) -> int:
        cursor = self._database.write(
            "INSERT INTO messages (target, execution_id, due, event) VALUES (?, ?, ?, ?)",
            (
                message.target,
                message.execution_id,
                stamp(message.due) if message.due else None,
                event_text,
            ),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def drop_messages(self, numbers: Sequence[int]) -> None:
        if len(numbers) == 1:
            self._database.write("DELETE FROM messages WHERE number = ?", numbers)
            return
        self._database.write(
            "DELETE FROM messages WHERE number IN (SELECT value FROM json_each(?))",
            (json.dumps(numbers),),
        )

    # Activities

    def activities(self) -> list[ActivityWork]:
        """All of them, oldest first."""
        rows = self._database.read(
            "SELECT number, instance_id, execution_id, task_id, name, input"
            " FROM activities ORDER BY number"
        )
        return [ActivityWork(*row) for row in rows]

    def add_activity(
        self, instance: Instance, task_id: int, name: str, input_text: str
    ) -> ActivityWork:
        values = (instance.id, instance.execution_id, task_id, name, input_text)
        cursor = self._database.write(
            "INSERT INTO activities (instance_id, execution_id, task_id, name, input)"
            " VALUES (?, ?, ?, ?, ?)",
            values,
        )
        assert cursor.lastrowid is not None
        return ActivityWork(cursor.lastrowid, *values)

    def drop_activity(self, number: int) -> None:
        self._database.write("DELETE FROM activities WHERE number = ?", (number,))

    # Problems, and what the host keeps

    def problems(self, instance_id: str | None) -> list[StoredProblem]:
        where, values = (
            ("", ()) if instance_id is None else ("WHERE instance_id = ?", (instance_id,))
        )
        rows = self._database.read(
            f"SELECT kind, subject, text, instance_id, at FROM problems {where} ORDER BY at", values
        )
        return [
            StoredProblem(kind, subject, text, instance, read_stamp(at))
            for kind, subject, text, instance, at in rows
        ]

    def note(self, instance_id: str, problem: Problem, at: datetime) -> bool:
        """Keep a problem. Returns whether it is the first of its kind and subject."""
        cursor = self._database.write(
            "INSERT OR IGNORE INTO problems VALUES (?, ?, ?, ?, ?)",
            (instance_id, problem.kind, *map(_escaped, (problem.subject, problem.text)), stamp(at)),
        )
        return cursor.rowcount > 0

    def value(self, key: str) -> str | None:
        rows = self._database.read("SELECT value FROM kept WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    def keep_value(self, key: str, value: str) -> None:
        self._database.write("INSERT OR REPLACE INTO kept VALUES (?, ?)", (key, value))

    def _parsed(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise self._database.damaged(error) from None


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


def _escaped(text: str) -> str:
    """A text that can be written: half of a surrogate pair, which code can name, cannot."""
    return text.encode(errors="backslashreplace").decode()


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
