"""The hub file: who may open it, and of which version it is."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from durablehost.errors import HubInUse, HubUnusable
from durablehost.store import SqliteBackend, schema
from tests.durablehost.store.storing import a_hub, ids_in

HOLD = """
import sys
from durablehost.store import SqliteBackend
hub = SqliteBackend(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""
# A worker process that an activity makes, which nobody ends.
HOLD_AND_FORK = """
import os, sys
from durablehost.store import SqliteBackend
hub = SqliteBackend(sys.argv[1])
if os.fork() == 0:
    print("open", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(path: Path, program: str = HOLD) -> Iterator["subprocess.Popen[str]"]:
    """Have another process that has the hub open."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_hub_is_made_with_the_folders_above_it(tmp_path: Path) -> None:
    assert ids_in(tmp_path / "some" / "where" / "hub.db") == []


def test_a_hub_of_the_first_version_is_brought_to_todays(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "hub.db")) as old:
        old.executescript(schema.MIGRATIONS[0] + "PRAGMA user_version = 1;")
        old.execute("INSERT INTO kept VALUES ('clock', 'one')")
        old.commit()

    hub = SqliteBackend(tmp_path / "hub.db")
    kept = hub.get_value("clock")
    hub.close()

    assert kept == "one"
    with closing(sqlite3.connect(tmp_path / "hub.db")) as now:
        assert now.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)


def test_a_migration_that_fails_leaves_the_hub_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_hub(tmp_path / "hub.db")
    broken = "ALTER TABLE kept ADD COLUMN at TEXT; INSERT INTO nowhere VALUES (1);"
    with monkeypatch.context() as tomorrow:
        tomorrow.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, broken))
        tomorrow.setattr(schema, "VERSION", schema.VERSION + 1)
        with pytest.raises(HubUnusable, match="no such table: nowhere"):
            SqliteBackend(tmp_path / "hub.db")

    assert ids_in(tmp_path / "hub.db") == ["a:000"]


def test_a_hub_of_a_newer_durablehost_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = a_hub(tmp_path / "hub.db")
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    before = path.read_bytes()

    with pytest.raises(HubUnusable, match=f"schema {schema.VERSION + 1}, this one knows"):
        SqliteBackend(path)

    assert path.read_bytes() == before


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "photos.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE photos (name)")
    before = path.read_bytes()

    with pytest.raises(HubUnusable, match=r"photos.db is a database of another program"):
        SqliteBackend(path)

    assert path.read_bytes() == before


def test_the_error_for_a_second_opener_names_the_process_of_the_first(tmp_path: Path) -> None:
    with (
        held(tmp_path / "hub.db") as first,
        pytest.raises(HubInUse, match=rf"hub.db is in use .*process {first.pid}\)"),
    ):
        SqliteBackend(tmp_path / "hub.db")


def test_a_second_opener_in_the_same_process_is_refused_too(tmp_path: Path) -> None:
    hub = SqliteBackend(tmp_path / "hub.db")
    with pytest.raises(HubInUse, match=f"process {os.getpid()}"):
        SqliteBackend(tmp_path / "hub.db")
    hub.close()

    assert ids_in(tmp_path / "hub.db") == []


def test_the_hub_of_a_process_that_was_killed_is_free(tmp_path: Path) -> None:
    with held(tmp_path / "hub.db") as first:
        first.kill()
        first.wait()

        assert ids_in(tmp_path / "hub.db") == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_worker_that_outlives_a_killed_process_does_not_keep_its_hub(tmp_path: Path) -> None:
    with held(tmp_path / "hub.db", HOLD_AND_FORK) as first:
        first.kill()
        first.wait()

        assert ids_in(tmp_path / "hub.db") == []


def test_a_hub_opened_by_a_link_is_the_same_hub(tmp_path: Path) -> None:
    a_hub(tmp_path / "hub.db")
    (tmp_path / "soft.db").symlink_to(tmp_path / "hub.db")
    links = [tmp_path / "soft.db"]
    if sys.platform == "linux":
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "hard.db").hardlink_to(tmp_path / "hub.db")
        links.append(tmp_path / "other" / "hard.db")

    with held(tmp_path / "hub.db"):
        for link in links:
            with pytest.raises(HubInUse):
                SqliteBackend(link)


def test_a_new_folder_of_a_hub_is_private_and_ignored_by_git(tmp_path: Path) -> None:
    a_hub(tmp_path / "data" / "hub.db")

    folder = tmp_path / "data"
    modes = {path.name: path.stat().st_mode & 0o077 for path in [folder, *folder.iterdir()]}

    assert (folder / ".gitignore").read_text() == "*\n"
    assert {name: mode for name, mode in modes.items() if name != ".gitignore"} == {
        "data": 0,
        "hub.db": 0,
        "hub.db.lock": 0,
    }
