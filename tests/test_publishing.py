"""What `func azure functionapp publish` would send: the app, all of it, and nothing else."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import dev
from durablehost.command import new
from durablehost.settings.host_json import read_host_json
from durablehost.settings.unused_settings import unused_settings
from tests.source import (
    APP_FILES,
    APP_FOLDERS,
    ROOT,
    imports_of,
    modules_below,
    patterns,
    tracked_files,
)

PUBLISHED_FILES = {*APP_FILES, "requirements.txt"}

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


# Core Tools leaves these out whatever .funcignore says, in any folder.
NEVER_SENT = {".funcignore", ".gitignore", "local.settings.json", "project.lock.json"}

TRACKED = {str(path.relative_to(ROOT)) for path in tracked_files()}
SHARED = "durablehost/templates/shared/.funcignore"


def sent_by_core_tools(
    paths: Iterable[str], boundary: str = r"\b", ignored: str = ".funcignore"
) -> set[str]:
    """What `func azure functionapp publish` sends: `GitIgnoreParser.cs` in Python.

    Older releases lack the word boundary at the end of a line.
    """
    text = (ROOT / ignored).read_text("utf-8")
    lines = [line.strip().removeprefix("/") for line in text.splitlines()]
    patterns = [_as_core_tools_does(line) for line in lines if line and not line.startswith("#")]
    assert not [line for line in lines if line.startswith("!")], "the model has no such lines"
    left_out = re.compile(f"^(({')|('.join(patterns)})){boundary}", re.ASCII)
    return {
        path for path in paths if Path(path).name not in NEVER_SENT and not left_out.match(path)
    }


def _as_core_tools_does(line: str) -> str:
    quoted = re.sub(r"[-\[\]/{}()+?.\\^$|]", r"\\\g<0>", line)
    return quoted.replace("**", "(.+)").replace("*", r"([^\/]+)")


def sent_by_git_rules(paths: Iterable[str], folder: Path, ignored: str = ".funcignore") -> set[str]:
    """What the tools send that read such a file as a .gitignore: VS Code and azd."""
    git = ["git", "-c", "core.excludesFile=", "-C", str(folder)]
    subprocess.run([*git, "init", "-q"], check=True)
    (folder / ".gitignore").write_text((ROOT / ignored).read_text("utf-8"), "utf-8")
    asked = subprocess.run(
        [*git, "check-ignore", "--no-index", "--stdin"],
        input="\n".join(paths),
        capture_output=True,
        text=True,
        check=False,  # exit code 1: none of them is ignored
    )
    assert asked.stderr == ""
    return set(paths) - set(asked.stdout.splitlines())


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
    for name in sent_by_core_tools(TRACKED):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    return Path(tmp_path)


def test_each_publishing_tool_sends_the_whole_app_and_nothing_else(tmp_path):
    code = {str(p.relative_to(ROOT)) for f in APP_FOLDERS for p in (ROOT / f).rglob("*.py")}

    assert sent_by_core_tools(TRACKED) == PUBLISHED_FILES | code
    assert sent_by_core_tools(TRACKED, boundary="") == PUBLISHED_FILES | code
    assert sent_by_git_rules(TRACKED, tmp_path) == PUBLISHED_FILES | code


@pytest.mark.parametrize("pattern", patterns())
def test_each_publishing_tool_sends_only_the_app_of_a_template(tmp_path, pattern):
    new.create(tmp_path / "app", pattern)
    made = {path.name for path in (tmp_path / "app").iterdir()} | {"__pycache__/a.pyc"}
    app = {"function_app.py", "host.json", "requirements.txt"}

    assert sent_by_core_tools(made, ignored=SHARED) == app
    assert sent_by_git_rules(made, tmp_path, SHARED) - NEVER_SENT == app


def test_the_published_sandbox_is_its_package_and_what_it_needs(tmp_path):
    package = {name for name in TRACKED if name.startswith("sandbox/")}
    leftovers = {"sandbox/__pycache__/bank.cpython-311.pyc", *LEFTOVERS}

    sent = sent_by_git_rules(TRACKED | leftovers, tmp_path, ".webappignore")

    assert sent == package | {"requirements.txt"}


def test_the_sandbox_needs_no_package_but_those_of_the_app():
    modules = modules_below(ROOT / "sandbox").values()
    imported = {name.split(".")[0] for path in modules for name in imports_of(path)}
    known = {each.name for each in requirements()} | sys.stdlib_module_names | {"sandbox", "azure"}

    assert imported <= known


LEFTOVERS = [
    ".DS_Store",
    ".durablehost/hub.db",
    ".durablehost/hub.db-wal",
    ".venv/bin/python",
    ".venv-newest/bin/python",
    "KEYS.json",
    "__azurite_db_blob__.json",
    "__blobstorage__/0b1c",
    "__pycache__/function_app.cpython-311.pyc",
    "__queuestorage__/0b1c",
    "accounts-payable_env/pyvenv.cfg",
    "activities/.mypy_cache/3.11/x.json",
    "blueprints/.DS_Store",
    "blueprints/__pycache__/saga.cpython-311.pyc",
    ".azure/production/.env",
    "build/lib/durablehost/__main__.py",
    "durablehost.egg-info/PKG-INFO",
    "http_api/deeper/__pycache__/x.cpython-311.pyc",
    "http_api/old.pyc",
    "hub.db",
    "hub.db-shm",
    "hub.db-wal",
    "local.settings.json",
    "local.settings.json.example",
    "local.settings.json.mine",
    "node_modules/azurite/package.json",
    "venv/bin/python",
]


def test_files_that_tools_leave_in_the_folder_are_not_published(tmp_path):
    assert sent_by_core_tools(LEFTOVERS) == set()
    assert sent_by_core_tools(LEFTOVERS, boundary="") == set()
    assert sent_by_git_rules(LEFTOVERS, tmp_path) == set()


def test_the_published_files_load_with_the_packages_in_requirements(deployed):
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

    # For Python on Azure Storage it has no effect: entities share the limit of orchestrators.
    assert "maxConcurrentEntityFunctions" not in host.section("extensions.durableTask")
    assert not [name for name in unused_settings(host, {}) if "no such setting" in name]
    assert all(re.fullmatch(r"00:0[0-9]:[0-9]{2}", str(text)) for text in durable.values())
