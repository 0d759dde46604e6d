"""`durablehost record` and `durablehost replay`, and `pytest --record`, as a user runs them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from durablehost.__main__ import main
from durablehost.replaying.recording import read, start_of
from tests.durablehost_process import running

APP = """\
import datetime
import random
import uuid

import azure.durable_functions as df

app = df.DFApp()


@app.orchestration_trigger(context_name="context")
def approval(context):
    yield context.call_activity("ask", context.get_input())
    print("has asked")
    return (yield context.wait_for_external_event("Decided"))


@app.orchestration_trigger(context_name="context")
def year(context):
    yield context.call_activity("ask", datetime.datetime.now().year)


@app.orchestration_trigger(context_name="context")
def day(context):
    yield context.call_activity("ask", datetime.date.today().isoformat())


@app.orchestration_trigger(context_name="context")
def guid(context):
    yield context.call_activity("ask", str(uuid.uuid4()))


@app.orchestration_trigger(context_name="context")
def dice(context):
    yield context.call_activity("ask", random.random())


@app.orchestration_trigger(context_name="context")
def vendors(context):
    yield context.call_activity("ask", list({"acme", "globex", "initech", "umbrella", "hooli"}))


@app.activity_trigger(input_name="order")
async def ask(order):
    return order


@app.activity_trigger(input_name="order")
def ask_twice(order):
    return order
"""
TESTS = """\
from datetime import timedelta

import pytest


async def test_an_approval_waits(hub):
    approval = await hub.start("approval", {"id": "o-1"})

    hub.record(approval, "waiting")

    assert hub.status(approval) == "Running"


@pytest.mark.parametrize("name", ["year", "day", "guid", "dice", "vendors"])
async def test_it_waits(hub, name):
    hub.slow_activity("ask", timedelta(hours=1))
    hub.record(await hub.start(name), "waiting")
"""
WAITS = APP.index("def approval"), APP.index("def year")  # where approvals begin and end


def durablehost(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "durablehost", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def write_app(folder: Path, old: str = "", new: str = "") -> None:
    """The app; `old` is replaced in approvals alone."""
    begin, end = WAITS
    (folder / "host.json").write_text('{"version": "2.0"}')
    (folder / "function_app.py").write_text(
        APP[:begin] + APP[begin:end].replace(old, new) + APP[end:]
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app whose tests have left recordings."""
    folder = tmp_path_factory.mktemp("recorded")
    write_app(folder)
    (folder / "test_app.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--record"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    return folder


def test_changed_code_and_code_that_differs_between_two_replays_are_found_out(
    recorded: Path,
) -> None:
    write_app(recorded, 'call_activity("ask"', 'call_activity("ask_twice"')

    ran = durablehost(recorded, "replay", "tests/histories")

    assert ran.returncode == 1
    assert "now       activity 'ask_twice' in this place (function_app.py:12)" in ran.stdout
    assert "6 histories: 1 fails, 5 unstable" in ran.stdout, ran.stderr
    for line in (19, 24, 29, 34, 39):
        assert f"(function_app.py:{line})" in ran.stdout


def test_a_harmless_change_is_accepted_in_the_file(
    recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_app(recorded, '"Decided"', '"Approved"')
    file = recorded / "tests" / "histories" / "approval" / "waiting.json"
    before = json.loads(file.read_text())
    monkeypatch.chdir(recorded)

    code = main(["replay", "--update", "tests/histories/approval"])

    assert before["steps"] == ["activity 'ask'", "the event 'Decided'"]
    assert (code, json.loads(file.read_text())["accepted"]) == (0, ["asked 1"])


def test_running_instances_of_a_host_are_checked_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_app(tmp_path)
    with running(tmp_path, "--data", tmp_path / "hub.db") as host:
        host.manage("POST", "/orchestrators/approval/o-1", {"id": "o-1"})
        host.output.wait_for("has asked")
        write_app(tmp_path, 'call_activity("ask"', 'call_activity("ask_twice"')
        monkeypatch.chdir(tmp_path)
        code = main(["replay", "--against", host.base])
    checked = capsys.readouterr().out
    write_app(tmp_path)

    main(["record", "--data", "hub.db", "--redact", "id"])

    assert code == 1
    assert "o-1 (approval, " in checked
    assert "reconstructed: timers are not compared" in checked
    assert "fails: the host would end the instance as Failed" in checked
    assert "o-1 (Running): " in capsys.readouterr().out
    file = tmp_path / "tests" / "histories" / "approval" / "o-1.json"
    assert start_of(read(file).events)["Input"] == '{"id": "redacted"}'
