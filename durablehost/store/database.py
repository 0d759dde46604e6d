"""The SQLite file of a hub. Its errors are raised as HubFull or HubUnusable."""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from durablehost.errors import HubFull, HubUnusable
from durablehost.store.schema import check_schema, prepare_schema

MEMORY: Final = ":memory:"
_PRAGMAS: Final = (
    "auto_vacuum = INCREMENTAL",
    "journal_mode = WAL",
    "synchronous = NORMAL",  # a killed process loses nothing; only a power cut might
    "temp_store = MEMORY",
    "cache_size = -16000",
    "journal_size_limit = 16000000",
)
_SHRUNK_AT_ONCE: Final = 200  # pages, which takes some milliseconds
_LOCKED_SECONDS: Final = 1.0  # all of durablehost waits while another program writes to the file

Row = tuple[Any, ...]


class Database:
    """One connection. A write opens a transaction, which `commit` or `roll_back` ends."""

    def __init__(self, name: str) -> None:
        self.name = name
        try:
            # Long episodes run on another thread, but only one thread uses this connection.
            self._connection = sqlite3.connect(
                name, timeout=_LOCKED_SECONDS, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise self._unusable(error) from None
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._connection.close()
            raise self._unusable(error) from None
        except HubUnusable:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        check_schema(self._connection, self.name)
        for pragma in _PRAGMAS:
            self._connection.execute(f"PRAGMA {pragma}")
        prepare_schema(self._connection)
        # SQLite opens a file that it cannot write, and reports that only at the first write.
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("ROLLBACK")

    def read(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows. Raises HubUnusable if the file is damaged."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise (self._unusable(error) if _is_about_the_file(error) else error) from None

    def read_one_by_one(self, sql: str) -> Iterator[Row]:
        """The same rows, not all in memory at once. Nothing may be written in between."""
        try:
            yield from self._connection.execute(sql)
        except sqlite3.DatabaseError as error:
            raise (self._unusable(error) if _is_about_the_file(error) else error) from None

    def write(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Raises HubFull if the file cannot be written, and HubUnusable if it is damaged."""
        return self._write(self._connection.execute, sql, values)

    def write_all(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each of these rows. Raises as `write` does."""
        if rows:
            self._write(self._connection.executemany, sql, rows)

    def _write(
        self, run: Callable[[str, Any], sqlite3.Cursor], sql: str, values: Any
    ) -> sqlite3.Cursor:
        try:
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN IMMEDIATE")
            return run(sql, values)
        except sqlite3.DatabaseError as error:
            raise self._not_written(error) from None

    def commit(self) -> None:
        """Raises as `write` does. After that, nothing since the last commit counts as written."""
        try:
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise self._not_written(error) from None

    def roll_back(self) -> None:
        """Forget what was written since the last commit."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def make_room(self) -> None:
        """On a full disk: empty the write-ahead log, if its content fits into the file."""
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.OperationalError:
            return

    def shrink(self) -> bool:
        """Return some free space to the file system. Returns whether there is more."""
        free = self._free_pages()
        try:
            # `execute` would end the statement after the first page.
            self._connection.executescript(f"PRAGMA incremental_vacuum({_SHRUNK_AT_ONCE})")
            if 0 < self._free_pages() < free:
                return True
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.OperationalError:
            self.roll_back()  # this needs room, too; new rows will use the free space
        return False

    def _free_pages(self) -> int:
        return int(self._connection.execute("PRAGMA freelist_count").fetchone()[0])

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def changes(self) -> int:
        """How many rows this connection has written."""
        return self._connection.total_changes

    def copy_to(self, path: str) -> None:
        """Write all that is committed to another file."""
        with contextlib.closing(sqlite3.connect(path)) as copy:
            self._connection.backup(copy)

    def close(self) -> None:
        self._connection.close()

    def damaged(self, error: Exception) -> HubUnusable:
        """The error for rows that durablehost did not write."""
        words = str(error).partition(" with text ")[0]  # which would be all of the damaged text
        return HubUnusable(
            f"{self.name} cannot be used as a hub: {words}."
            " Move it away to begin with an empty hub, or name another file with --data."
        )

    def parsed(self, text: str) -> Any:
        """The value of JSON text in a row. Raises HubUnusable if it is damaged."""
        try:
            return json.loads(text)
        except ValueError as error:
            raise self.damaged(error) from None

    def _unusable(self, error: sqlite3.Error) -> HubUnusable:
        if not _is_about_the_file_system(error):
            return self.damaged(error)
        return HubUnusable(
            f"{self.name} cannot be used as a hub: {error}."
            " Make room for it and make it writable, or name another file with --data."
        )

    def _not_written(self, error: sqlite3.DatabaseError) -> Exception:
        if isinstance(error, sqlite3.OperationalError):
            return HubFull(
                f"{self.name} could not be written: {error}. Nothing of this was kept."
                " Make room or make it writable; durablehost tries again."
            )
        return self.damaged(error) if _is_about_the_file(error) else error


def _is_about_the_file(error: sqlite3.DatabaseError) -> bool:
    """Whether the file caused an error; other classes of error mean a wrong statement."""
    return type(error) in (sqlite3.DatabaseError, sqlite3.OperationalError)


def _is_about_the_file_system(error: sqlite3.Error) -> bool:
    """Whether the file itself may be sound: the disk is full, or it is read-only or locked."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    )
