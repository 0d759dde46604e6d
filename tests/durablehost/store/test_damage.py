"""A hub file that is damaged or cannot be written: said, and never read as something else."""

import shutil
from pathlib import Path

import pytest

from durablehost.errors import HubUnusable
from durablehost.hub.backend import Query
from durablehost.store import SqliteBackend
from tests.durablehost.store.storing import a_hub, bring, ids_in, start
from tests.durablehost.unwritable import unwritable


def test_a_hub_file_that_was_refused_can_be_opened_by_another_program(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    path.write_text("this is a letter to somebody, and no hub of any kind\n" * 100)
    with pytest.raises(HubUnusable, match="hub.db cannot be used as a hub: .* Move it away"):
        SqliteBackend(path)
    path.unlink()

    assert ids_in(path) == []


def test_a_header_that_was_overwritten_is_refused(tmp_path: Path) -> None:
    path = a_hub(tmp_path / "hub.db")
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])

    with pytest.raises(HubUnusable, match="Move it away"):
        SqliteBackend(path)


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    path = a_hub(tmp_path / "hub.db", instances=100)
    path.write_bytes(path.read_bytes()[:-20_000])

    with pytest.raises(HubUnusable, match="Move it away"):
        SqliteBackend(path)


def test_pages_that_were_overwritten_are_reported_and_not_read_as_something_else(
    tmp_path: Path,
) -> None:
    path = a_hub(tmp_path / "hub.db", instances=100)
    whole = path.read_bytes()
    refused = 0
    for page in range(1, len(whole) // 4096):
        place = page * 4096
        path.write_bytes(whole[:place] + b"\xa5" * 4096 + whole[place + 4096 :])
        try:
            hub = SqliteBackend(path)
        except HubUnusable:
            refused += 1
            continue
        try:
            for instance in hub.list_instances(Query(top=None)):
                hub.history(instance.id)
            start(hub, "a:new")
            hub.flush()
        except HubUnusable:
            refused += 1
        finally:
            hub.close()

    assert refused > 5


def test_a_text_that_was_overwritten_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    hub = SqliteBackend(path)
    start(hub, "a")
    hub.close()
    path.write_bytes(path.read_bytes().replace(b'{"OrchestrationInstance"', b"?" * 24))

    with pytest.raises(HubUnusable, match="Move it away"):
        SqliteBackend(path)


@pytest.mark.parametrize("what", ["folder", "below a file"])
def test_a_folder_that_cannot_contain_the_file_is_refused(tmp_path: Path, what: str) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path if what == "folder" else tmp_path / "file" / "hub.db"

    with pytest.raises(HubUnusable, match="cannot be used as a hub: .* name another file"):
        SqliteBackend(path)


def test_a_hub_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    path = a_hub(tmp_path / "hub.db")
    with (
        unwritable(path),
        pytest.raises(HubUnusable, match="readonly database.* make it writable"),
    ):
        SqliteBackend(path)

    assert ids_in(path) == ["a:000"]


def test_a_new_hub_in_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with unwritable(tmp_path), pytest.raises(HubUnusable, match="Make its folder writable"):
        SqliteBackend(tmp_path / "hub.db")

    assert list(tmp_path.iterdir()) == []


def test_a_copy_of_a_hub_that_is_in_use_contains_everything_flushed(tmp_path: Path) -> None:
    hub = SqliteBackend(tmp_path / "hub.db")
    bring(hub, "a", "Completed")
    for ending in ("", "-wal"):
        shutil.copy(tmp_path / f"hub.db{ending}", tmp_path / f"copy.db{ending}")
    hub.close()

    assert ids_in(tmp_path / "copy.db") == ["a"]
