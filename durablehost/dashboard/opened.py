"""Opens a hub file or a downloaded history as a hub that nobody works on."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from durablehost.app.functions import FunctionTable
from durablehost.errors import CannotStart
from durablehost.hub import history
from durablehost.hub.backend import Instance, Message, parent_of, started
from durablehost.hub.history import Event, read_stamp
from durablehost.replaying.reconstructing import reconstruct
from durablehost.replaying.recording import read, start_of
from durablehost.store import MEMORY, SqliteBackend

_SQLITE: Final = b"SQLite format 3\0"


@contextmanager
def opened(file: Path, table: FunctionTable) -> Iterator[SqliteBackend]:
    """A copy of a hub file, or a hub in memory with one history. Raises CannotStart."""
    try:
        with file.open("rb") as content:
            is_hub = content.read(len(_SQLITE)) == _SQLITE
    except OSError as error:
        raise CannotStart(f"{file} cannot be read: {error.strerror}.") from None
    with contextlib.ExitStack() as so_far:
        if is_hub:
            folder = so_far.enter_context(TemporaryDirectory())
            backend = SqliteBackend(_copied(file, Path(folder, "hub.db")))
        else:
            backend = _with_history(file, _events_in(file, table))
        so_far.callback(backend.close)
        yield backend


def _copied(file: Path, copy: Path) -> Path:
    """A copy of what is committed, also while a durablehost works on the file."""
    try:
        with (
            contextlib.closing(
                sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
            ) as hub,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            hub.backup(target)
    except sqlite3.Error as error:
        raise CannotStart(f"{file} cannot be read as a hub: {error}.") from None
    return copy


def _events_in(file: Path, table: FunctionTable) -> list[Event]:
    """The events of a list, of a recording, or of a status with its history."""
    try:
        kept: Any = json.loads(file.read_text("utf-8"))
        if isinstance(kept, dict) and "historyEvents" in kept:
            return list(reconstruct(table, kept).events)
        events = kept if isinstance(kept, list) else list(read(file).events)
        start_of(events)
    except (ValueError, KeyError, TypeError) as error:
        raise CannotStart(
            f"{file} is no history: {error}. It has to be a status with `showHistory=true`, what"
            " `hub.history(id)` gives, or a file that `durablehost record` wrote."
        ) from None
    return list(events)


def _with_history(file: Path, events: list[Event]) -> SqliteBackend:
    instance = instance_of(events)
    backend = SqliteBackend(MEMORY)
    backend.create(instance, Message(instance.id, started(instance, instance.created)))
    backend.rewrite(instance, events, None)
    backend.flush()
    return backend


def instance_of(events: list[Event]) -> Instance:
    """The instance that has this history."""
    start, last = start_of(events), events[-1]
    ends = [event for event in events if event["EventType"] == history.EXECUTION_COMPLETED]
    execution = start["OrchestrationInstance"]
    return Instance(
        id=execution["InstanceId"],
        name=start["Name"],
        version=start["Version"],
        execution_id=execution["ExecutionId"],
        generation=start["Generation"] or 0,
        status=ends[-1]["OrchestrationStatus"] if ends else "Running",
        input=start["Input"],
        output=ends[-1]["Result"] if ends else None,
        custom_status=None,
        created=read_stamp(start["Timestamp"]),
        updated=read_stamp(last["Timestamp"]),
        parent=parent_of(start),
    )
