"""The fixture `hub` in a project of its own that has devhost installed and nothing else of us."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

APP = """\
from datetime import timedelta
import azure.durable_functions as df

app = df.DFApp()


@app.orchestration_trigger(context_name="context")
def approval(context):
    decision = context.wait_for_external_event("Decided")
    for _ in range(30):
        reminder = context.create_timer(context.current_utc_datetime + timedelta(days=3))
        if (yield context.task_any([decision, reminder])) is decision:
            reminder.cancel()
            return "decided"
        yield context.call_activity("remind", context.version)
    return "expired"


@app.activity_trigger(input_name="version")
def remind(version):
    raise RuntimeError("no test may send mail")
"""

TESTS = """\
from datetime import timedelta
import pytest

pytestmark = pytest.mark.asyncio


async def test_an_approval_expires_after_thirty_reminders(hub):
    began = hub.clock.now()
    hub.replace_activity("remind", lambda version: None)
    instance = await hub.start("approval")
    await hub.run_until_ended(instance)
    assert hub.output(instance) == "expired"
    assert [call.input for call in hub.calls("remind")] == ["3.0"] * 30
    assert hub.clock.now() - began == timedelta(days=90)


async def test_hubs_share_nothing(hub):
    assert hub.instances() == []
"""

STRICT = """\
[pytest]
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""

OTHER_APP = """\
import pytest
from devhost.loading import load_app


@pytest.fixture(scope="session")
def app(pytestconfig):
    return load_app(pytestconfig.rootpath / "services" / "approvals")
"""


def write_app(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "function_app.py").write_text(APP)
    durable = '{"durableTask": {"defaultVersion": "3.0"}}'
    (folder / "host.json").write_text(f'{{"version": "2.0", "extensions": {durable}}}')


def write_tests(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test_approval.py").write_text(TESTS)


def run_pytest(folder: Path, *arguments: str, path: Path | None = None) -> tuple[int, str]:
    environ = {name: os.environ[name] for name in os.environ if not name.startswith("PYTEST")}
    if path:
        environ["PYTHONPATH"] = os.pathsep.join([str(path), environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("configured", [True, False])
def test_a_project_that_has_devhost_installed_has_the_fixture(
    tmp_path: Path, configured: bool
) -> None:
    write_app(tmp_path)
    write_tests(tmp_path / "tests")
    if configured:
        (tmp_path / "pytest.ini").write_text(STRICT)

    code, said = run_pytest(tmp_path, "tests")

    assert (code, "2 passed" in said) == (0, True), said


def test_a_project_with_its_app_elsewhere_overrides_the_fixture_app(tmp_path: Path) -> None:
    write_app(tmp_path / "services" / "approvals")
    write_tests(tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "conftest.py").write_text(OTHER_APP)

    code, said = run_pytest(tmp_path)

    assert (code, "2 passed" in said) == (0, True), said


def test_a_project_without_an_app_is_told_where_it_was_looked_for(tmp_path: Path) -> None:
    write_tests(tmp_path)

    code, said = run_pytest(tmp_path)

    assert code == 1
    assert f"there is no function_app.py in {tmp_path}" in said


def test_without_pytest_asyncio_other_tests_run_and_those_with_hub_say_what_is_missing(
    tmp_path: Path,
) -> None:
    project, path = tmp_path / "project", tmp_path / "path"
    write_app(project)
    (project / "test_it.py").write_text(
        "def test_alone():\n    pass\n\n\ndef test_with(hub):\n    pass\n"
    )
    path.mkdir()
    (path / "sitecustomize.py").write_text(
        "import importlib.util as util\n"
        "find_spec = util.find_spec\n"
        "util.find_spec = lambda name, package=None: (\n"
        "    None if name == 'pytest_asyncio' else find_spec(name, package))\n"
    )

    code, said = run_pytest(project, "-p", "no:asyncio", path=path)

    assert (code, "1 passed, 1 error" in said) == (1, True), said
    assert "python -m pip install pytest-asyncio" in said
