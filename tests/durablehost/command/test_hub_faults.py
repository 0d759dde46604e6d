"""A hub that fails while durablehost runs: what callers and the console hear, what is lost."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.durablehost.apps import SOUND, result_of, write_app
from tests.durablehost.full_disk import fill_for, make_room_for
from tests.durablehost.unwritable import unwritable
from tests.durablehost_process import Started, outcome, running

WORDS = (
    SOUND
    + '''
@app.orchestration_trigger(context_name="context")
def words(context):
    """Takes words until one is `stop`."""
    while (yield context.wait_for_external_event("Word")) != "stop":
        pass
'''
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_app(tmp_path / "app", WORDS)


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    return tmp_path / "hub.db"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount: list[str | Path] = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", place]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root makes file systems")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def ids_of(host: Started) -> list[str]:
    return [one["instanceId"] for one in host.manage("GET", "/instances").json()]


def test_on_a_full_disk_requests_are_refused_and_all_goes_on_once_there_is_room(
    folder: Path, hub: Path
) -> None:
    with running(folder, "--data", hub) as host:
        host.manage("POST", "/orchestrators/waiting/before")
        fill_for(host.process.pid, 0)
        refused = [
            host.manage("POST", "/orchestrators/waiting/during"),
            host.manage("POST", "/instances/before/raiseEvent/Go", "too early"),
            host.manage("POST", "/entities/counter/x?op=add", 1),
        ]
        shown = host.manage("GET", "/instances/before")
        make_room_for(host.process.pid)
        after = host.run_to_its_end("chain", "after")
        host.manage("POST", "/instances/before/raiseEvent/Go", "gone")
        output = result_of(host, "before")
        ids = ids_of(host)
        code = host.stop()

    assert [one.status for one in refused] == [507, 507, 507]
    assert "could not be written" in refused[0].json()["Message"]
    assert shown.json()["runtimeStatus"] in ("Pending", "Running")
    assert after == 4
    assert output == "gone"
    assert sorted(ids) == ["after", "before"]
    assert code == 0
    assert host.text.count("Make room or make it writable; durablehost tries again.") == 1
    assert host.text.count("The hub can be written again.") == 1
    assert "Traceback" not in host.text


def test_work_that_a_full_disk_interrupted_ends_once_there_is_room(folder: Path, hub: Path) -> None:
    with running(folder, "--data", hub) as host:
        ids = [f"a:{number}" for number in range(50)]
        for one in ids:
            host.manage("POST", f"/orchestrators/chain/{one}")
        fill_for(host.process.pid, 0)
        host.manage("POST", "/orchestrators/chain/refused")
        make_room_for(host.process.pid)
        outputs = [result_of(host, one) for one in ids]
        answer = host.manage("GET", "/instances/refused")

    assert outputs == [4] * 50
    assert answer.status == 404


def test_a_stop_on_a_full_disk_is_a_stop_and_all_goes_on_next_time(folder: Path, hub: Path) -> None:
    with running(folder, "--data", hub) as host:
        for number in range(50):
            host.manage("POST", f"/orchestrators/chain/a:{number}")
        fill_for(host.process.pid, 0)
        host.manage("POST", "/orchestrators/chain/refused")
        code = host.stop()

    with running(folder, "--data", hub) as again:
        outputs = [result_of(again, f"a:{number}") for number in range(50)]

    assert code == 0
    assert "Traceback" not in host.text
    assert outputs == [4] * 50


def test_a_disk_that_runs_full_refuses_what_does_not_fit_and_keeps_the_rest(
    folder: Path, small_disk: Path
) -> None:
    with running(folder, "--data", small_disk / "hub.db") as host:
        filler = small_disk / "filler"
        filler.write_bytes(b"x" * 15_000_000)
        statuses: list[int] = []
        while 507 not in statuses:
            instance_id = f"a:{len(statuses):03}"
            given = {"text": "x" * 20_000}
            answer = host.manage("POST", f"/orchestrators/waiting/{instance_id}", given)
            statuses.append(answer.status)
        there = ids_of(host)
        words = answer.json()["Message"]
        filler.unlink()
        after = host.run_to_its_end("chain", "after")

    assert statuses == [202] * (len(statuses) - 1) + [507]
    assert "database or disk is full" in words
    assert there == [f"a:{number:03}" for number in range(len(statuses) - 1)]
    assert after == 4
    assert "Traceback" not in host.text


def test_a_durablehost_on_a_full_disk_says_so_and_ends(folder: Path, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(b"x" * 16_700_000)

    code, said = outcome("start", folder, "--port", "0", "--data", small_disk / "hub.db")

    assert code == 1
    assert "hub.db cannot be used as a hub" in said
    assert "Make room" in said
    assert "Traceback" not in said


def test_a_hub_that_turns_out_damaged_ends_durablehost_with_a_clear_message(
    folder: Path, hub: Path
) -> None:
    with running(folder, "--data", hub) as host:
        host.manage("POST", "/orchestrators/words/a")
        for _ in range(20):
            host.manage("POST", "/instances/a/raiseEvent/Word", "mark" * 1000)
        host.run_to_its_end("chain")
        host.stop()
    whole = hub.read_bytes()
    hub.write_bytes(whole.replace(b"mark" * 100, b"\xff" * 400))

    with running(folder, "--data", hub) as host:
        host.manage("POST", "/instances/a/raiseEvent/Word", "stop")
        host.output.wait_for("Stopping")
        code = host.process.wait(60)
    hub.write_bytes(whole)
    with running(folder, "--data", hub) as again:
        again.manage("POST", "/instances/a/raiseEvent/Word", "stop")
        answer = again.ask("GET", "/api/result/a")

    assert code == 1
    assert host.text.count("Move it away to begin with an empty hub") == 1
    assert "Traceback" not in host.text
    assert answer.status == 200


def test_a_hub_that_cannot_be_written_is_refused_at_the_start(folder: Path, hub: Path) -> None:
    with running(folder, "--data", hub) as host:
        host.run_to_its_end("chain", "a")
        host.stop()
    with unwritable(hub):
        code, said = outcome("start", folder, "--port", "0", "--data", hub)

    with running(folder, "--data", hub) as again:
        ids = ids_of(again)

    assert code == 1
    assert "make it writable, or name another file with --data" in said
    assert "Traceback" not in said
    assert ids == ["a"]
