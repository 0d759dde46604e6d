"""durablehost as others install it: from the wheel, into an environment that has nothing else."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from email.parser import Parser
from pathlib import Path
from typing import Final

import pytest

from tests.durablehost_process import running
from tests.source import ROOT

PROJECT: Final = Path(__file__).parent / "kit_project"
OLDEST: Final = 11  # the minor version
REMOVED: Final = "durablehost/removed.py"
THIS: Final = f"3.{sys.version_info.minor}"

UNREACHABLE: Final = "NewConnectionError|NameResolutionError|ProxyError|ConnectTimeoutError"

Install = Callable[[str], Path]  # into a Python of this version; the path of its program

ANYIO = """
import pytest


@pytest.mark.anyio
async def test_it_runs_under_anyio(hub, anyio_backend):
    assert anyio_backend == "asyncio"
    hub.stop_timers()
    assert await hub.call_entity("total", "a", "add", 2) == 2


@pytest.fixture
def anyio_backend():
    return "asyncio"
"""


def pythons() -> dict[str, Path]:
    """One Python of each version that this machine has and durablehost supports."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    # pyenv puts a python3.12 on the path that runs only in a folder which is set to that version.
    places = [*versions.glob("*/bin"), *map(Path, os.environ.get("PATH", "").split(os.pathsep))]
    found = {THIS: Path(sys.executable)}
    for place in places:
        for path in sorted(place.glob("python3.*")):
            minor = re.fullmatch(r"python3\.(\d+)", path.name)
            if minor and int(minor[1]) >= OLDEST:
                found.setdefault(f"3.{minor[1]}", path)
    return dict(sorted(found.items()))


PYTHONS: Final = pythons()


def pip(*arguments: str | Path, cwd: Path | None = None) -> None:
    command: list[str | Path] = [sys.executable, "-m", "pip", "-qq", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd)
    if re.search(UNREACHABLE, done.stderr):
        pytest.skip("pip reaches no package index")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy with what an earlier build left behind."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "durablehost", source / "durablehost", ignore=ignored)
    leftover = source / "build" / "lib" / REMOVED
    leftover.parent.mkdir(parents=True)
    leftover.touch()
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", built, ".", cwd=source)
    [path] = built.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def install(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Makes an environment of a Python that has the wheel and pytest; its Python."""
    made: dict[str, Path] = {}

    def install_into(version: str) -> Path:
        if version not in made:
            folder = tmp_path_factory.mktemp(f"python{version}")
            maker: list[str | Path] = [PYTHONS[version], "-m", "venv", "--without-pip", folder]
            subprocess.run(maker, check=True)
            made[version] = folder / "bin" / "python"
            # Compiling all modules takes longer than it saves here.
            pip("--python", made[version], "install", "--no-compile", wheel, "pytest")
        return made[version]

    return install_into


def run_pytest(
    python: Path,
    folder: Path,
    *arguments: str,
    environ: Mapping[str, str] | None = None,
    strict: bool = True,
) -> tuple[int, str]:
    clean = {name: os.environ[name] for name in os.environ if not name.startswith("PY")}
    command: list[str | Path] = [python, "-m", "pytest", "-p", "no:cacheprovider"]
    if strict:
        command += ["-W", "error"]
    env = {**clean, **(environ or {})}
    done = subprocess.run(
        [*command, *arguments], cwd=folder, env=env, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def project(folder: Path) -> Path:
    return Path(shutil.copytree(PROJECT, folder / "project"))


def test_the_wheel_has_the_package_its_types_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
        [about] = [name for name in names if name.endswith(".dist-info/METADATA")]
        metadata = Parser().parsestr(content.read(about).decode())

    required = [text for text in metadata.get_all("Requires-Dist", []) if "extra ==" not in text]
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "durablehost").rglob("*.*")}
    assert {name for name in files if "__pycache__" not in name} <= set(names)
    assert REMOVED not in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"durablehost"}
    assert [re.split(r"[<>=]", text)[0] for text in required] == [
        "azure-functions",
        "azure-functions-durable",
    ]
    assert "storage" in metadata.get_all("Provides-Extra", [])
    assert metadata["Description-Content-Type"] == "text/markdown"


@pytest.mark.parametrize("version", PYTHONS)
def test_command_and_fixtures_work_with_only_the_wheel_and_pytest(
    install: Install, version: str, tmp_path: Path
) -> None:
    python, folder = install(version), project(tmp_path)
    command = subprocess.run(
        [python.with_name("durablehost"), "--help"], capture_output=True, text=True
    )
    alone = {"PYTHONPATH": ""}
    with running(folder, "--data", ":memory:", environ=alone, python=python) as host:
        answer = host.ask("GET", "/api/hello")
        host.stop()
    code, said = run_pytest(python, folder)

    assert (command.returncode, "start" in command.stdout) == (0, True)
    assert (answer.status, answer.text) == (200, "hello")
    assert "take_order does not fire: the packages of Azure Storage are not installed" in host.text
    assert "Queues and blobs need the extra `storage` of durablehost" in host.text
    assert (code, "23 passed" in said) == (0, True), said


def test_anyio_runs_the_tests_that_are_marked_for_it(install: Install, tmp_path: Path) -> None:
    python, folder, packages = install(THIS), project(tmp_path), tmp_path / "packages"
    pip("install", "--target", packages, "--no-compile", "anyio")
    (folder / "test_anyio.py").write_text(ANYIO)
    environ = {"PYTHONPATH": str(packages)}
    code, said = run_pytest(python, folder, "test_anyio.py", environ=environ)

    assert (code, "1 passed" in said) == (0, True), said


def test_pytest_imports_neither_the_sdk_nor_the_host_before_a_test_asks_for_a_fixture() -> None:
    words = "import sys, durablehost.pytest_plugin; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, cwd=ROOT)

    imported = {name for name in done.stdout.split() if name.startswith(("azure", "durablehost"))}
    assert imported == {"durablehost", "durablehost.pytest_plugin"}


def run_as_the_page_says(python: Path, folder: Path, page: str) -> list[str]:
    """Write the files that a page shows, run its commands in order; what they print."""
    printed = []
    for kind, text in re.findall(r"^```(\w*)\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        if kind == "python":
            name = text.partition("\n")[0].removeprefix("# ")
            (folder / name).write_text(text)
        elif kind == "":
            program, _, arguments = text.strip().partition(" ")
            assert program == "python"
            if arguments.startswith("-m pytest "):
                printed.append(run_pytest(python, folder, *arguments.split()[2:], strict=False)[1])
            else:  # done by the fixture
                assert arguments == "-m pip install path/to/durablehost pytest"
    return printed


def test_the_page_for_an_app_that_is_there_already_is_true_word_for_word(
    install: Install, tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "test-your-app.md").read_text("utf-8")
    shown = re.findall(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)

    printed = run_as_the_page_says(install(THIS), tmp_path, page)

    assert len(printed) == len(shown) == 2
    assert re.sub(r" in [\d.]+s", "", printed[0]) == shown[0]
    for line in shown[1].splitlines():
        pattern = ".*".join(re.escape(part) for part in line.split("…"))
        assert re.search(pattern, printed[1]), printed[1]
