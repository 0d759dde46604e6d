"""The fixtures in a separate project that has nothing of ours but durablehost installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from durablehost.hub.backend import Search
from durablehost.store import SqliteBackend

APP = """\
from datetime import timedelta

import azure.durable_functions as df

app = df.DFApp()


@app.orchestration_trigger(context_name="context")
def approval(context):
    decision = context.wait_for_external_event("Decided")
    for number in range(1, 31):
        pause = context.create_timer(context.current_utc_datetime + timedelta(days=3))
        if (yield context.task_any([decision, pause])) is decision:
            pause.cancel()
            return decision.result
        yield context.call_activity("remind", number)
    return "expired"


@app.activity_trigger(input_name="number")
def remind(number: int):
    raise ConnectionError("a test that gets here would send mail")
"""

TESTS = """\
from datetime import timedelta

import pytest

from durablehost.testing import Crashed


async def test_it_expires_after_thirty_reminders(hub):
    began = hub.clock.now()
    hub.replace_activity("remind", lambda number: None)
    approval = await hub.start("approval")
    await hub.run_until_ended(approval)

    assert hub.output(approval) == "expired"
    assert [call.input for call in hub.calls("remind")] == list(range(1, 31))
    assert hub.clock.now() - began == timedelta(days=90)


async def test_no_reminder_is_sent_after_the_decision(hub):
    hub.replace_activity("remind", lambda number: None)
    approval = await hub.start("approval")
    await hub.raise_event(approval, "Decided", "yes", as_http=True, after=timedelta(days=4))
    await hub.run_until_ended(approval)

    assert hub.output(approval) == "yes"
    assert len(hub.calls("remind")) == 1


async def test_an_instance_continues_after_a_crash(hub):
    hub.replace_activity("remind", lambda number: None)
    approval = await hub.start("approval")
    hub.crash_after(2)  # the reminder is sent, and that it was is lost
    with pytest.raises(Crashed):
        await hub.advance(timedelta(days=3))
    hub.crash()
    await hub.run_until_ended(approval)

    assert hub.output(approval) == "expired"
    assert len(hub.calls("remind")) == 31  # one of them twice: at least once, as on Azure
"""
FURTHER = """

async def test_host_json_is_applied(hub):
    assert hub.instance(await hub.start("approval")).version == "3.0"


class TestOfAClass:
    async def test_a_method_is_run(self, hub):
        answer = await hub.request("GET", "/api/none")
        assert answer.status == 404


def test_a_test_that_is_not_a_coroutine_uses_the_blocking_form(sync_hub):
    sync_hub.replace_activity("remind", str)
    assert sync_hub.result(sync_hub.start("approval")) == "expired"


async def test_a_failure_is_seen(hub):
    assert await hub.start("approval", instance_id="a") == "b"
"""
NOTICING = """
from datetime import timedelta

import pytest


def hurries(context):
    yield context.create_timer(context.current_utc_datetime + timedelta(seconds=0.5))


async def test_status(hub):
    approval = await hub.start("approval")
    await hub.advance(timedelta(days=3))
    assert hub.status(approval) == "Completed"


async def test_problem(hub):
    hub.replace_orchestrator("approval", hurries)
    await hub.start("approval", instance_id="a")


@pytest.mark.allow_problems("short-timer")
def test_allowed_problem(sync_hub):
    sync_hub.replace_orchestrator("approval", hurries)
    sync_hub.start("approval")
"""
# pytest-asyncio warns where this is not set.
LOOP_SCOPE = "asyncio_default_fixture_loop_scope=function"
ASYNC_FIXTURE = """
import asyncio

import pytest_asyncio


@pytest_asyncio.fixture
async def loop(hub):
    await hub.start("approval", instance_id="from the fixture")
    yield asyncio.get_running_loop()
    assert hub.status("from the fixture") == "Running"


async def test_it_runs_on_the_loop_of_its_fixtures(hub, loop):
    assert asyncio.get_running_loop() is loop
    assert hub.status("from the fixture") == "Running"
"""

OTHER_APP = """\
import pytest


@pytest.fixture(scope="session")
def durable_app(pytestconfig):
    return pytestconfig.rootpath / "services" / "approvals"
"""


def write_app(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "function_app.py").write_text(APP)
    durable = '{"durableTask": {"defaultVersion": "3.0"}}'
    (folder / "host.json").write_text(f'{{"version": "2.0", "extensions": {durable}}}')


def write_tests(folder: Path, text: str = TESTS) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test_approval.py").write_text(text)


def run_pytest(folder: Path, *arguments: str) -> tuple[int, str]:
    environ = {name: os.environ[name] for name in os.environ if not name.startswith("PYTEST")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_coroutine_tests_run_without_configuration_another_plugin_or_a_warning(
    tmp_path: Path,
) -> None:
    write_app(tmp_path)
    write_tests(tmp_path, TESTS + FURTHER)

    code, said = run_pytest(tmp_path, "-W", "error", "-p", "no:asyncio")

    assert (code, "1 failed, 6 passed" in said) == (1, True), said
    assert "AssertionError: assert 'a' == 'b'" in said
    assert "pytest_plugin.py" not in said


def test_a_failed_test_explains_the_status(tmp_path: Path) -> None:
    write_app(tmp_path)
    write_tests(tmp_path, NOTICING)

    code, said = run_pytest(tmp_path, "-W", "error", "-p", "no:asyncio", "--keep-hub")

    assert (code, "2 failed, 1 passed" in said) == (1, True), said
    assert "'Failed' == 'Completed'" in said
    assert "activity 'remind' failed at function_app.py:" in said
    assert "- short-timer: 'a' set a timer for 0.5 s (test_approval.py:8)." in said
    assert '@pytest.mark.allow_problems("short-timer")' in said
    assert "pytest_plugin.py" not in said
    for test in ("status", "problem"):
        kept = tmp_path / ".durablehost" / "failed" / f"test_approval-py-test_{test}.db"
        assert f"durablehost show {kept}" in said
        backend = SqliteBackend(kept)
        assert [found.name for found in backend.search(Search())] != []
        backend.close()


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_with_pytest_asyncio_the_tests_run_on_the_loop_of_its_fixtures(
    tmp_path: Path, mode: str
) -> None:
    write_app(tmp_path)
    write_tests(tmp_path, ASYNC_FIXTURE + FURTHER)

    options = ["-W", "error", "-o", LOOP_SCOPE, "-o", f"asyncio_mode={mode}"]
    code, said = run_pytest(tmp_path, *options)

    assert (code, "1 failed, 4 passed" in said) == (1, True), said


def test_an_app_elsewhere_is_named_by_the_fixture_durable_app(tmp_path: Path) -> None:
    write_app(tmp_path / "services" / "approvals")
    write_tests(tmp_path)
    (tmp_path / "conftest.py").write_text(OTHER_APP)

    code, said = run_pytest(tmp_path)

    assert (code, "3 passed" in said) == (0, True), said


def test_without_an_app_the_tests_say_where_it_was_looked_for_and_others_pass(
    tmp_path: Path,
) -> None:
    write_tests(tmp_path, "def test_alone():\n    pass\n\n\nasync def test_with(hub):\n    pass\n")

    code, said = run_pytest(tmp_path)

    assert (code, "1 passed, 1 error" in said) == (1, True), said
    assert f"there is no function_app.py in {tmp_path}" in said
