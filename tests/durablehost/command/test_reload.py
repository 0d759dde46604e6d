"""`--reload` restarts durablehost when a file of the app changes; running instances continue."""

import os
import signal
from pathlib import Path

import pytest

from durablehost.command.reload import Watch
from tests.durablehost.apps import IMPORTS, SOUND, result_of, write_app, write_local_settings
from tests.durablehost_process import Started, launched, outcome, running

READY = r"Ready at (http://\S+) in"
SETTING = (
    IMPORTS
    + """
@app.route(route="setting")
def setting(req: func.HttpRequest) -> str:
    return os.environ["SETTING"]
"""
)


def start_waiting(host: Started) -> str:
    """An instance that waits for the event `Go`."""
    instance_id: str = host.manage("POST", "/orchestrators/waiting").json()["id"]
    return instance_id


def end_waiting(host: Started, instance_id: str) -> object:
    """Send the event; what the instance returns."""
    assert host.manage("POST", f"/instances/{instance_id}/raiseEvent/Go", "gone").status == 202
    return result_of(host, instance_id)


def changed(text: str) -> str:
    return text.replace('return "Hello "', 'return "Good day "')


def test_a_change_is_served_on_the_same_port_and_running_instances_go_on(tmp_path: Path) -> None:
    folder = write_app(tmp_path / "app")
    with running(folder, "--reload") as host:
        before = host.ask("GET", "/api/hello/Ada").text
        waiting = start_waiting(host)

        write_app(folder, changed(SOUND))
        host.output.wait_for("function_app.py has changed: restarting.")
        base = host.output.wait_for(READY)[1]

        assert base == host.base
        assert (before, host.ask("GET", "/api/hello/Ada").text) == ("Hello Ada", "Good day Ada")
        assert end_waiting(host, waiting) == "gone"
        assert host.stop() == 0


def test_a_change_of_another_module_of_the_app_is_noticed(tmp_path: Path) -> None:
    folder = write_app(tmp_path / "app", "import part\n" + SOUND, part="WORD = 1\n")
    with running(folder, "--reload") as host:
        (folder / "part.py").write_text("WORD = 2\n")

        host.output.wait_for("^part.py has changed")
        host.output.wait_for(READY)


def test_after_a_change_that_does_not_load_it_waits_for_the_next(tmp_path: Path) -> None:
    folder = write_app(tmp_path / "app")
    with running(folder, "--reload") as host:
        waiting = start_waiting(host)
        write_app(folder, SOUND + "\nx = = 1\n")
        host.output.wait_for("SyntaxError: invalid syntax")
        host.output.wait_for("Waiting until a file of the app changes.")

        write_app(folder, changed(SOUND))
        host.output.wait_for(READY)

        assert host.ask("GET", "/api/hello/Ada").text == "Good day Ada"
        assert end_waiting(host, waiting) == "gone"


def test_an_app_that_never_loaded_is_served_once_it_does(tmp_path: Path) -> None:
    folder = write_app(tmp_path / "app", "import nothing_of_the_kind\n")
    with launched("start", folder, "--port", "0", "--reload") as (process, output):
        output.wait_for("No module named 'nothing_of_the_kind'")
        output.wait_for("Waiting until a file of the app changes.")

        write_app(folder)

        host = Started(process, output, output.wait_for(READY)[1])
        assert host.run_to_its_end("chain") == 4


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_durablehost_ends_on_ctrl_c_while_it_waits_for_a_change(tmp_path: Path, by: int) -> None:
    folder = write_app(tmp_path / "app", "x = = 1\n")
    with launched("start", folder, "--port", "0", "--reload") as (process, output):
        output.wait_for("Waiting until a file of the app changes.")

        process.send_signal(by)

        assert process.wait(60) == 0
    assert "Traceback" not in "\n".join(output.lines)


def test_a_changed_setting_takes_effect(tmp_path: Path) -> None:
    folder = write_app(tmp_path / "app", SETTING)
    write_local_settings(folder, Values={"SETTING": "old"})
    with running(folder, "--reload") as host:
        before = host.ask("GET", "/api/setting").text

        write_local_settings(folder, Values={"SETTING": "new"})
        host.output.wait_for("^local.settings.json has changed")
        host.output.wait_for(READY)

        assert (before, host.ask("GET", "/api/setting").text) == ("old", "new")
        assert "Skipping" not in host.text


def test_relative_paths_mean_the_same_after_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write_app(tmp_path / "app")
    with running(Path("app"), "--reload", "--data", "kept.db") as host:
        waiting = start_waiting(host)

        write_app(folder, changed(SOUND))
        host.output.wait_for("has changed")
        host.output.wait_for(READY)

        assert end_waiting(host, waiting) == "gone"
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".db") == ["kept.db"]


def test_an_error_that_no_change_of_the_app_corrects_ends_reload(tmp_path: Path) -> None:
    folder = write_app(tmp_path / "app")
    with running(folder):
        code, said = outcome("start", folder, "--port", "0", "--reload")

    assert code == 1
    assert "is in use by another durablehost" in said


async def test_files_outside_of_the_app_are_not_watched(tmp_path: Path) -> None:
    folder = write_app(tmp_path / "app")
    watch = Watch(folder)
    for path in (".venv/a.py", "node_modules/a.py", "__pycache__/a.py", ".git/a.py", "a.txt"):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text("")
    (folder / "z.py").write_text("")

    assert await watch.change() == "z.py"


async def test_a_change_made_before_anybody_waits_is_noticed(tmp_path: Path) -> None:
    folder = write_app(tmp_path / "app")
    watch = Watch(folder)
    os.utime(folder / "function_app.py", (1, 1))

    assert await watch.change() == "function_app.py"


async def test_a_deleted_file_is_a_change(tmp_path: Path) -> None:
    folder = write_app(tmp_path / "app", part="")
    watch = Watch(folder)
    (folder / "part.py").unlink()

    assert await watch.change() == "part.py"
