"""The workflows, Dependabot and the workspace fit their schemas, and run what a person runs."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from dev import COMMANDS, MODULES
from tests.source import ROOT, tracked_files

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def jobs(workflow: str) -> dict[str, Any]:
    text = (ROOT / ".github" / "workflows" / workflow).read_text("utf-8")
    found: dict[str, Any] = YAML(typ="safe").load(text)["jobs"]
    return found


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("vendor.dependabot", [ROOT / ".github" / "dependabot.yml"]),
    ],
)
def test_files_for_github_fit_their_schemas(schema: str, files: list[Path]) -> None:
    assert files
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


def commands_of_dev() -> list[tuple[str, str]]:
    """The commands of `dev.py` that workflows, the devcontainer and VS Code call."""
    files = [path for path in tracked_files() if path.suffix in (".yml", ".json")]
    places = [path for path in files if {".github", ".devcontainer", ".vscode"} & set(path.parts)]
    return [
        (path.name, command)
        for path in places
        for command in re.findall(r'dev\.py"?,? "?([\w-]+)', path.read_text("utf-8"))
    ]


def test_every_command_of_dev_that_a_file_calls_exists() -> None:
    called = commands_of_dev()

    assert {file for file, _ in called} == {
        "deploy.yml",
        "devcontainer.json",
        "newest.yml",
        "tasks.json",
        "test.yml",
    }
    assert {command for _, command in called} <= COMMANDS.keys() | MODULES.keys()


def test_each_supported_python_is_tested_and_systems_that_nobody_tried_do_not_block() -> None:
    linux, untried = jobs("test.yml")["linux"], jobs("test.yml")["untried"]
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")

    assert linux["strategy"]["matrix"]["python"] == re.findall(
        r'"Programming Language :: Python :: (\d\.\d+)"', pyproject
    )
    assert "continue-on-error" not in linux
    assert untried["continue-on-error"] is True


def test_a_deployment_waits_for_the_tests_and_the_replay_and_holds_no_password() -> None:
    found = jobs("deploy.yml")
    text = (ROOT / ".github" / "workflows" / "deploy.yml").read_text("utf-8")

    assert found["deploy"]["needs"] == ["test", "replay"]
    assert "tests/histories" in str(found["replay"])
    assert found["deploy"]["permissions"] == {"contents": "read", "id-token": "write"}
    assert re.findall(r"secrets\.(\w+)", text) == ["AZD_INITIAL_ENVIRONMENT_CONFIG"]


def test_a_launch_configuration_starts_tasks_that_exist() -> None:
    tasks = json.loads((ROOT / ".vscode" / "tasks.json").read_text("utf-8"))["tasks"]
    launched = json.loads((ROOT / ".vscode" / "launch.json").read_text("utf-8"))["configurations"]
    before = {each["preLaunchTask"] for each in launched if "preLaunchTask" in each}

    assert before <= {task["label"] for task in tasks}
    assert {"durablehost: run this app", "func: attach"} <= {each["name"] for each in launched}


def test_the_devcontainer_installs_what_the_recommended_extensions_need() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    recommended = json.loads((ROOT / ".vscode" / "extensions.json").read_text("utf-8"))

    assert container["customizations"]["vscode"]["extensions"] == recommended["recommendations"]
    assert (ROOT / ".devcontainer" / container["build"]["dockerfile"]).is_file()
