"""`durablehost record` and `durablehost replay`, and `pytest --record`, as a user runs them."""

import json
import subprocess
import sys
from pathlib import Path

from durablehost.replaying.recording import read, start_of
from tests.durablehost_process import running

APP = """\
import azure.durable_functions as df

app = df.DFApp()


@app.orchestration_trigger(context_name="context")
def approval(context):
    yield context.call_activity("ask", context.get_input())
    print("has asked")
    return (yield context.wait_for_external_event("Decided"))


@app.activity_trigger(input_name="order")
def ask(order):
    return order


@app.activity_trigger(input_name="order")
def ask_twice(order):
    return order
"""
UNSTABLE = """\
import datetime
import random
import uuid

import azure.durable_functions as df

app = df.DFApp()


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
"""
TESTS_OF_UNSTABLE = """\
from datetime import timedelta

import pytest


@pytest.mark.parametrize("name", ["year", "day", "guid", "dice", "vendors"])
async def test_it_waits(hub, name):
    hub.slow_activity("ask", timedelta(hours=1))
    hub.record(await hub.start(name), "waiting")
"""
TESTS = """\
async def test_an_approval_waits(hub):
    approval = await hub.start("approval", {"id": "o-1"})

    hub.record(approval, "waiting")

    assert hub.status(approval) == "Running"
"""


def durablehost(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "durablehost", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def write_app(folder: Path, text: str = APP) -> None:
    (folder / "host.json").write_text('{"version": "2.0"}')
    (folder / "function_app.py").write_text(text)


def record_by_pytest(folder: Path, app: str, tests: str) -> Path:
    """An app whose tests have left recordings."""
    write_app(folder, app)
    (folder / "test_app.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--record"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    return folder / "tests" / "histories"


def test_a_test_records_and_a_changed_app_is_found_out(tmp_path: Path) -> None:
    file = record_by_pytest(tmp_path, APP, TESTS) / "approval" / "waiting.json"
    assert json.loads(file.read_text())["steps"] == ["activity 'ask'", "the event 'Decided'"]

    write_app(tmp_path, APP.replace('call_activity("ask"', 'call_activity("ask_twice"'))
    fails = durablehost(tmp_path, "replay", "tests/histories")
    write_app(tmp_path, APP.replace('"Decided"', '"Approved"'))
    accepted = durablehost(tmp_path, "replay", "--update")

    assert fails.returncode == 1
    assert "now       activity 'ask_twice' in this place (function_app.py:8)" in fails.stdout
    assert (accepted.returncode, json.loads(file.read_text())["accepted"]) == (0, ["asked 1"])


def test_code_that_differs_between_two_replays_is_found_out(tmp_path: Path) -> None:
    record_by_pytest(tmp_path, UNSTABLE, TESTS_OF_UNSTABLE)

    ran = durablehost(tmp_path, "replay")

    assert "5 histories: 5 unstable" in ran.stdout, ran.stderr
    for line in (12, 17, 22, 27, 32):
        assert f"(function_app.py:{line})" in ran.stdout


def test_running_instances_of_a_host_are_checked_and_recorded(tmp_path: Path) -> None:
    write_app(tmp_path)
    with running(tmp_path, "--data", tmp_path / "hub.db") as host:
        host.manage("POST", "/orchestrators/approval/o-1", {"id": "o-1"})
        host.output.wait_for("has asked")
        write_app(tmp_path, APP.replace('call_activity("ask"', 'call_activity("ask_twice"'))
        ran = durablehost(tmp_path, "replay", "--against", host.base)
    write_app(tmp_path)

    kept = durablehost(tmp_path, "record", "--data", "hub.db", "--redact", "id")

    assert ran.returncode == 1, ran.stderr
    assert "o-1 (approval, " in ran.stdout
    assert "reconstructed: timers are not compared" in ran.stdout
    assert "fails: the host would end the instance as Failed" in ran.stdout
    assert "o-1 (Running): " in kept.stdout, kept.stderr
    file = tmp_path / "tests" / "histories" / "approval" / "o-1.json"
    assert start_of(read(file).events)["Input"] == '{"id": "redacted"}'
