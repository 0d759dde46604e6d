"""Searches among the instances of a hub, for the dashboard."""

from typing import Any, Final

from durablehost.hub.backend import Found, Search
from durablehost.hub.history import read_stamp, stamp
from durablehost.store.database import Database, Row

_SHOWN: Final = 200  # characters of a text
_NOT_ENTITY: Final = "id NOT LIKE '@_%@%'"
_TEXTS: Final = ("id", "input", "output", "custom_status")
_RARE: Final = 2000  # instances, which are sorted at once


class Searching:
    """Reads the table of instances. All methods raise what `Database.read` does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, search: Search) -> list[Found]:
        """The instances that fit, the newest first."""
        where, values = _conditions(search)
        if search.before is not None:
            where.append("number < ?")
            values.append(search.before)
        if search.statuses:
            # By its index, SQLite would sort all instances of a frequent status for each page.
            column = "status" if self._are_rare(search.statuses) else "+status"
            where.append(f"{column} IN ({', '.join('?' * len(search.statuses))})")
            values += sorted(search.statuses)
        texts = ", ".join(f"substr(coalesce({name}, ''), 1, {_SHOWN})" for name in _TEXTS[1:])
        rows = self._database.read(
            f"SELECT number, id, name, status, created, updated, {texts}, parent IS NOT NULL"
            f" FROM instances WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT {search.top}",
            values,
        )
        return [_found(row) for row in rows]

    def count(self, search: Search) -> dict[str, int]:
        """How many instances fit, by status."""
        where, values = _conditions(search)
        return dict(
            self._database.read(
                f"SELECT status, COUNT(*) FROM instances WHERE {' AND '.join(where)}"
                " GROUP BY status",
                values,
            )
        )

    def names(self) -> list[str]:
        """The names of all orchestrators that have instances."""
        rows = self._database.read(
            f"SELECT DISTINCT name FROM instances WHERE {_NOT_ENTITY} ORDER BY name"
        )
        return [name for (name,) in rows]

    def _are_rare(self, statuses: frozenset[str]) -> bool:
        chosen = ", ".join("?" * len(statuses))
        rows = self._database.read(
            "SELECT COUNT(*) FROM (SELECT 1 FROM instances"
            f" WHERE status IN ({chosen}) LIMIT {_RARE})",
            sorted(statuses),
        )
        return bool(rows[0][0] < _RARE)


def _found(row: Row) -> Found:
    number, instance_id, name, status, created, updated, *texts, is_child = row
    input_text, output, custom_status = texts
    return Found(
        number,
        instance_id,
        name,
        status,
        read_stamp(created),
        read_stamp(updated),
        input_text,
        output,
        custom_status,
        bool(is_child),
    )


def _conditions(search: Search) -> tuple[list[str], list[Any]]:
    """What all of a search says, except for its statuses and its page."""
    where, values = [_NOT_ENTITY], list[Any]()
    if search.name:
        where.append("name = ?")
        values.append(search.name)
    if search.prefix:
        where += ["id >= ?", "id < ?"]
        values += [search.prefix, search.prefix + "\U0010ffff"]
    if search.created_from is not None:
        where.append("created >= ?")
        values.append(stamp(search.created_from))
    if search.created_to is not None:
        where.append("created <= ?")
        values.append(stamp(search.created_to))
    if search.text:
        where.append(f"({' OR '.join(f'{name} LIKE ? ESCAPE ?' for name in _TEXTS)})")
        escaped = search.text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
        values += [f"%{escaped}%", "!"] * len(_TEXTS)
    return where, values
