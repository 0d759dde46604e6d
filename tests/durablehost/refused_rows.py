"""A hub whose file refuses some rows, in place of values that SQLite cannot store."""

import contextlib
import sqlite3
from pathlib import Path


def refuse(hub: Path, table: str, condition: str) -> None:
    """Let no row be added to a table for which a condition holds, such as `NEW.id = 'a'`."""
    _run(
        hub,
        f"CREATE TRIGGER refused_{table} BEFORE INSERT ON {table} WHEN {condition}"
        " BEGIN SELECT RAISE(ABORT, 'this row is refused'); END",
    )


def take_again(hub: Path, table: str) -> None:
    """Let all rows be added again."""
    _run(hub, f"DROP TRIGGER refused_{table}")


def _run(hub: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(hub)) as connection:
        connection.execute(statement)
