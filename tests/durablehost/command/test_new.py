"""The templates of `durablehost new`: each one runs its tests, starts, and answers its README."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from durablehost.command import new
from tests.durablehost_process import outcome, running
from tests.source import ROOT, patterns

TEMPLATES = ROOT / "durablehost" / "templates"
LONG = {"saga", "resilience", "versioning", "document_pipeline"}
CURL = re.compile(r"^```\n(curl .*?)\n```", re.MULTILINE | re.DOTALL)


# Each folder below is an app; they run in one process, which is quicker than one for each.
EACH_ITS_OWN_APP = """\
import pytest
from durablehost.testing import load_app


@pytest.fixture(scope="module")
def durable_app(request):
    return load_app(request.path.parent)
"""


# Put into each app, with the bodies that a new user might send by mistake.
REFUSALS = """\
async def test_wrong_values_are_refused(hub):
    for body in {bodies!r}:
        answer = await hub.request({method!r}, {path!r}, data=body)

        assert answer.status == 400, body
        assert hub.instances() == []
"""
WRONG: dict[type, list[object]] = {
    str: [None, 5, []],
    int: [None, 1.5, float("inf"), "many", []],
    list: [None, "acme", [5]],
}
FREE_TEXT = {"what", "name", "text"}  # a person reads it, so anything will do


def with_wrong_values(body: str) -> Iterator[str]:
    """The body of a request with one value replaced, as JSON."""
    right = json.loads(body)
    if right:
        yield "[" * 50_000
    for field, value in right.items():
        if field not in FREE_TEXT:
            yield from (json.dumps(right | {field: wrong}) for wrong in WRONG[type(value)])


def requests_of(readme: str) -> Iterator[tuple[str, str, str | None]]:
    """Method, path and body of each curl command that can be sent as it is written."""
    for command in CURL.findall(readme):
        words = shlex.split(command.replace("\\\n", " "))
        body = words[words.index("-d") + 1] if "-d" in words else None
        [url] = [word for word in words if word.startswith("http://localhost:7071/")]
        method = words[words.index("-X") + 1] if "-X" in words else "POST" if body else "GET"
        if "/ID/" not in url:
            yield method, urlsplit(url).path, body


def test_there_is_a_template_for_each_pattern():
    named = {path.name for path in TEMPLATES.iterdir() if (path / "function_app.py").exists()}

    assert named == set(patterns())


@pytest.mark.parametrize("pattern", patterns())
def test_a_template_is_short_and_uses_nothing_of_this_repository(pattern):
    app = (TEMPLATES / pattern / "function_app.py").read_text("utf-8")
    tests = (TEMPLATES / pattern / f"test_{pattern}.py").read_text("utf-8")
    imported = set(re.findall(r"^(?:from|import) (\w+)", app, re.MULTILINE))

    assert len(app.splitlines()) <= (100 if pattern in LONG else 60)
    assert len(tests.splitlines()) <= 40
    assert imported <= {"azure", *sys.stdlib_module_names}


def run_tests(folder: Path) -> str:
    environ = {name: os.environ[name] for name in os.environ if not name.startswith("PYTEST")}
    quietly = ["-W", "error", "-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "no:xdist"]
    command = [sys.executable, "-m", "pytest", "--import-mode=importlib", "-v", *quietly]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_tests_of_all_templates_pass(tmp_path: Path):
    (tmp_path / "conftest.py").write_text(EACH_ITS_OWN_APP)
    for pattern in patterns():
        folder = tmp_path / pattern
        new.create(folder, pattern)
        [(method, path, body)] = requests_of((folder / "README.md").read_text("utf-8"))
        if bodies := [*with_wrong_values(body or "{}")]:
            test = REFUSALS.format(method=method, path=path, bodies=bodies)
            (folder / "test_refusals.py").write_text(test)

    said = run_tests(tmp_path)

    assert set(re.findall(r"^(\w+)/test_\w+\.py::\w+ PASSED", said, re.MULTILINE)) == set(
        patterns()
    )


def test_a_new_app_has_tests_that_pass_as_they_are(tmp_path: Path):
    code, said = outcome("new", tmp_path / "my-app")
    assert code == 0, said

    assert "3 passed" in run_tests(tmp_path / "my-app")


@pytest.mark.parametrize("pattern", patterns())
def test_a_template_starts_and_answers_the_request_of_its_readme(pattern, tmp_path: Path):
    new.create(tmp_path / "my-app", pattern)
    [(method, path, body)] = requests_of((tmp_path / "my-app" / "README.md").read_text("utf-8"))

    with running(tmp_path / "my-app", "--data", ":memory:") as host:
        answer = host.ask(method, path, body, {"Content-Type": "application/json"})

    assert answer.status == (404 if path == "/api/sweep/stop" else 202)


def test_the_next_command_can_be_pasted_whatever_the_name_of_the_folder(tmp_path: Path):
    code, said = outcome("new", tmp_path / "my first app")

    assert code == 0, said
    [command] = [line for line in said.splitlines() if line.startswith("  cd ")]
    assert shlex.split(command) == ["cd", str(tmp_path / "my first app")]


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine")

    code, said = outcome("new", tmp_path)

    assert code == 1
    assert "is not empty" in said
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_unknown_pattern_is_refused_with_the_known_ones(tmp_path: Path):
    code, said = outcome("new", tmp_path / "app", "--pattern", "sagas")

    assert code == 1
    assert "The templates are: aggregator, async_http, chaining" in said
    assert not (tmp_path / "app").exists()


def test_the_list_has_a_line_for_each_pattern(tmp_path: Path):
    code, said = outcome("new", "--list")

    assert code == 0
    assert [line.split()[0] for line in said.splitlines()] == patterns()


def test_settings_are_ready_to_start(tmp_path: Path):
    outcome("new", tmp_path / "app")

    settings = json.loads((tmp_path / "app" / "local.settings.json").read_text())
    assert settings["Values"]["FUNCTIONS_WORKER_RUNTIME"] == "python"
    assert "local.settings.json" in (tmp_path / "app" / ".gitignore").read_text().splitlines()


def rules_of(text: str) -> list[str]:
    """The numbered rules of AGENTS.md, each on one line."""
    found = re.findall(r"^(\d+\. .*?)(?=^\d+\. |^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return [" ".join(rule.split()) for rule in found]


def test_the_page_of_rules_has_every_rule_of_a_new_app_with_its_consequence():
    rules = rules_of((TEMPLATES / "shared" / "AGENTS.md").read_text("utf-8"))
    page = (ROOT / "docs" / "rules.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| (.*?) \| (.+) \|$", page, re.MULTILINE)

    assert [f"{number}. {rule}" for number, rule, _ in rows] == rules
