"""The rows of a hub: the statements on its tables, but for waiting work (`waiting_rows.py`).

`schema.py` creates the tables, `database.py` handles the errors of the file.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from durablehost.hub.backend import Instance, Parent, Query
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

    def update(self, instances: Mapping[int, Instance]) -> None:
        """Write instances, by their numbers."""
        self._database.write_all(
            "UPDATE instances SET name = ?, version = ?, execution_id = ?, generation = ?,"
            " status = ?, input = ?, output = ?, custom_status = ?, created = ?, updated = ?"
            " WHERE number = ?",
            [(*_values(instance)[1:11], number) for number, instance in instances.items()],
        )

    def delete(self, number: int, instance_id: str) -> None:
        """Delete an instance with its history and its problems."""
        self.drop_history(number)
        self._database.write("DELETE FROM instances WHERE number = ?", (number,))
        self._database.write("DELETE FROM problems WHERE instance_id = ?", (instance_id,))

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
        return [self._database.parsed(text) for (text,) in rows]

    def add_histories(self, parts: Iterable[tuple[int, int, Sequence[str]]]) -> None:
        """Write parts of histories: the number of the instance, that of the part, its events."""
        self._database.write_all(
            "INSERT INTO history VALUES (?, ?, ?)",
            [(number, part, f"[{', '.join(texts)}]") for number, part, texts in parts],
        )

    def drop_history(self, number: int) -> None:
        self._database.write("DELETE FROM history WHERE instance = ?", (number,))

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
