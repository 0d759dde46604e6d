"""The tables of a hub file, and the migrations of older files."""

import sqlite3
from typing import Final

from durablehost.errors import HubUnusable

VERSION: Final = 1

# MIGRATIONS[n] leads from version n to n + 1. A new hub is created by all of them.
MIGRATIONS: Final = (
    """
    CREATE TABLE instances (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        version TEXT,
        execution_id TEXT NOT NULL,
        generation INTEGER NOT NULL,
        status TEXT NOT NULL,
        input TEXT,
        output TEXT,
        custom_status TEXT,
        created TEXT NOT NULL,
        updated TEXT NOT NULL,
        parent TEXT
    );
    CREATE INDEX instances_by_status ON instances (status, id);
    CREATE INDEX instances_by_creation ON instances (created);
    CREATE TABLE history (
        instance INTEGER NOT NULL,
        part INTEGER NOT NULL,
        events TEXT NOT NULL,
        PRIMARY KEY (instance, part)
    ) WITHOUT ROWID;
    CREATE TABLE messages (
        number INTEGER PRIMARY KEY,
        target TEXT NOT NULL,
        execution_id TEXT,
        due TEXT,
        event TEXT NOT NULL
    );
    CREATE INDEX messages_by_target ON messages (target);
    CREATE TABLE activities (
        number INTEGER PRIMARY KEY,
        instance_id TEXT NOT NULL,
        execution_id TEXT NOT NULL,
        task_id INTEGER NOT NULL,
        name TEXT NOT NULL,
        input TEXT NOT NULL
    );
    CREATE TABLE problems (
        instance_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        text TEXT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (instance_id, kind, subject)
    ) WITHOUT ROWID;
    CREATE TABLE kept (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    """,
)


def check_schema(connection: sqlite3.Connection, name: str) -> None:
    """Raise HubUnusable for a hub of a newer durablehost, and for any other database."""
    found = _version_of(connection)
    if found > VERSION:
        raise HubUnusable(
            f"{name} was written by a newer durablehost (schema {found}, this one knows {VERSION})."
            " Install that durablehost again, or name another file with --data."
        )
    if not found and connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise HubUnusable(
            f"{name} is a database of another program, and no hub. Name another file with --data."
        )


def prepare_schema(connection: sqlite3.Connection) -> None:
    """Bring a hub to the current schema. Each step is one transaction."""
    for number in range(_version_of(connection), VERSION):
        connection.executescript(
            f"BEGIN IMMEDIATE; {MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;"
        )


def _version_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
