"""What `func azure functionapp publish` would send: the app, all of it, and nothing else."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import dev
from durablehost.settings.host_json import read_host_json
from durablehost.settings.unused_settings import unused_settings
from tests.source import ROOT, tracked_files

APP_FOLDERS = ("activities", "blueprints", "http_api", "orchestration")
APP_FILES = {"function_app.py", "host.json", "requirements.txt"}

# Imports the app with nothing but what it is allowed, and prints the names of its functions.
LOAD = """\
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in FORBIDDEN:
            raise ModuleNotFoundError(f"{name} is not installed in Azure", name=name)

FORBIDDEN = set(sys.argv[2].split(","))
sys.meta_path.insert(0, Missing())
sys.path.insert(0, sys.argv[1])
from function_app import app
print(*(function.get_function_name() for function in app.get_functions()))
"""


def published() -> set[str]:
    """The tracked files that no line of .funcignore names, by path or by the name of a part."""
    paths = (file.relative_to(ROOT) for file in tracked_files())
    return {str(path) for path in paths if not is_ignored(path)}


def is_ignored(path: Path) -> bool:
    lines = (ROOT / ".funcignore").read_text("utf-8").splitlines()
    ignored = [line for line in lines if line and not line.startswith("#")]
    return any(fnmatch(part, pattern) for part in path.parts for pattern in ignored)


def requirements() -> list[Requirement]:
    """What requirements.txt names, without its comments."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    return [Requirement(text) for text in (line.split("#")[0].strip() for line in lines) if text]


def needed(requirement: Requirement) -> Iterator[str]:
    """The distributions that installing a requirement brings, itself included."""
    name = re.sub(r"[-_.]+", "-", requirement.name).lower()
    yield name
    try:
        further = [Requirement(text) for text in requires(name) or []]
    except PackageNotFoundError:
        return  # for another platform, so not installed here
    for each in further:
        extras = requirement.extras or {""}
        if each.marker is None or any(each.marker.evaluate({"extra": e}) for e in extras):
            yield from needed(each)


def modules_not_in_azure() -> set[str]:
    """The top-level modules installed here that requirements.txt does not bring."""
    installed = {name for requirement in requirements() for name in needed(requirement)}
    normal = {
        module: {re.sub(r"[-_.]+", "-", name).lower() for name in names}
        for module, names in packages_distributions().items()
    }
    return {module for module, names in normal.items() if not names & installed}


@pytest.fixture
def deployed(tmp_path) -> Path:
    for name in published():
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    return Path(tmp_path)


def test_what_is_sent_is_the_app_and_all_of_it():
    code = {str(p.relative_to(ROOT)) for f in APP_FOLDERS for p in (ROOT / f).rglob("*.py")}

    assert published() == APP_FILES | code


@pytest.mark.parametrize(
    "left",
    [
        ".venv/bin/python",
        "venv/bin/python",
        "local.settings.json",
        "__azurite_db_blob__.json",
        "__blobstorage__/0b1c",
        "__queuestorage__/0b1c",
        "blueprints/__pycache__/saga.cpython-311.pyc",
    ],
)
def test_what_tools_leave_in_the_folder_is_not_sent(left):
    assert is_ignored(Path(left))


def test_what_is_sent_loads_with_what_requirements_name(deployed):
    forbidden = modules_not_in_azure()
    assert {"pytest", "hypothesis"} <= forbidden
    assert not {"azure", "pydantic", "aiohttp"} & forbidden

    loaded = subprocess.run(
        [sys.executable, "-I", "-c", LOAD, str(deployed), ",".join(forbidden)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert loaded.returncode == 0, loaded.stderr
    assert "start_invoice_intake" in loaded.stdout.split()


def test_what_is_installed_in_azure_is_what_was_tested():
    """One version each: `dev.py setup` installs the same file for the tests."""
    wanted = requirements()

    assert [text for text in map(str, wanted) if not re.fullmatch(r"[\w-]+==[\d.]+", text)] == []
    assert {"azure-functions-durable", "pydantic"} < {each.name for each in wanted}


def test_the_newest_versions_to_test_with_are_of_the_same_major_number():
    newest = {each.name: each for each in map(Requirement, dev.newest_requirements())}

    assert newest.keys() == {each.name for each in requirements()}
    for pinned in requirements():
        [version] = (each.version for each in pinned.specifier)
        major, minor, *_ = map(int, version.split("."))
        allowed = newest[pinned.name].specifier
        assert allowed.contains(version)
        assert allowed.contains(f"{major}.{minor + 1}.0")
        assert not allowed.contains(f"{major + 1}.0.0")


def test_a_release_of_durabletask_that_steals_credentials_cannot_be_installed() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    developing = map(Requirement, extras["optional-dependencies"]["dev"])
    [durabletask] = [each for each in developing if each.name == "durabletask"]

    assert list(durabletask.specifier.filter(["1.4.1", "1.4.2", "1.4.3"])) == []


def test_the_host_knows_every_setting_of_host_json() -> None:
    host = read_host_json(ROOT, {})
    durable = host.section("extensions.durableTask.storageProvider")

    assert not [name for name in unused_settings(host) if "no such setting" in name]
    assert all(re.fullmatch(r"00:0[0-9]:[0-9]{2}", str(text)) for text in durable.values())
