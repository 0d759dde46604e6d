"""The fixture `hub` in a separate project that has nothing of ours but durablehost installed."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.source import ROOT

PAGE = (ROOT / "docs" / "testing.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n# (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
APP, TESTS = (dict(BLOCKS)[name] for name in ("function_app.py", "test_approval.py"))
VERSION = """

async def test_host_json_counts(hub):
    assert hub.instance(await hub.start("approval")).version == "3.0"
"""
MARKED = "import pytest\npytestmark = pytest.mark.asyncio\n"

STRICT = """\
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""

OTHER_APP = """\
import pytest
from durablehost.app.loading import load_app


@pytest.fixture(scope="session")
def app(pytestconfig):
    return load_app(pytestconfig.rootpath / "services" / "approvals")
"""


def write_app(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "function_app.py").write_text(APP)
    durable = '{"durableTask": {"defaultVersion": "3.0"}}'
    (folder / "host.json").write_text(f'{{"version": "2.0", "extensions": {durable}}}')


def write_tests(folder: Path, text: str = TESTS) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test_approval.py").write_text(text)


def run_pytest(folder: Path, *arguments: str, path: Path | None = None) -> tuple[int, str]:
    environ = {name: os.environ[name] for name in os.environ if not name.startswith("PYTEST")}
    if path:
        environ["PYTHONPATH"] = os.pathsep.join([str(path), environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_the_example_of_the_page_runs_where_durablehost_is_installed(tmp_path: Path) -> None:
    write_app(tmp_path)
    write_tests(tmp_path)
    (tmp_path / "pytest.ini").write_text(STRICT)

    code, said = run_pytest(tmp_path)

    assert (code, "3 passed" in said) == (0, True), said


def test_a_project_that_configures_nothing_has_the_fixture(tmp_path: Path) -> None:
    write_app(tmp_path)
    write_tests(tmp_path / "tests", MARKED + TESTS + VERSION)

    code, said = run_pytest(tmp_path, "tests")

    assert (code, "4 passed" in said) == (0, True), said


def test_a_project_with_its_app_elsewhere_overrides_the_fixture_app(tmp_path: Path) -> None:
    write_app(tmp_path / "services" / "approvals")
    write_tests(tmp_path)
    (tmp_path / "pytest.ini").write_text(STRICT)
    (tmp_path / "conftest.py").write_text(OTHER_APP)

    code, said = run_pytest(tmp_path)

    assert (code, "3 passed" in said) == (0, True), said


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
