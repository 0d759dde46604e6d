"""What stands in this repository, read as text: its files, and who imports whom."""

import ast
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


# Blueprints that serve every pattern.
SERVING = {"openapi", "operations", "retention"}


# What is published, by its parts in the repository.
APP_FOLDERS = ("activities", "blueprints", "http_api", "orchestration")
APP_FILES = ("function_app.py", "host.json", "openapi.json")


def copy_app(to: Path) -> Path:
    """A copy of the app in this folder, for a process that serves it.

    Beside the app itself lies the local.settings.json of whoever works on it: it may name a
    storage and a sandbox that are in use.
    """
    for name in APP_FOLDERS:
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in APP_FILES:
        shutil.copyfile(ROOT / name, to / name)
    return to


def blueprint_files() -> dict[str, Path]:
    """The files of `blueprints/` by their stems."""
    paths = (ROOT / "blueprints").glob("*.py")
    return {path.stem: path for path in sorted(paths) if path.stem != "__init__"}


def owner_of(stem: str) -> str:
    """The blueprint that a stem is a part of, as `saga_bank` is of `saga`; else the stem itself."""
    owners = [each for each in blueprint_files() if stem.startswith(f"{each}_")]
    return min(owners, key=len, default=stem)


def patterns() -> list[str]:
    """The stems of the patterns: the blueprints that are no part of one, and do not serve all."""
    return sorted({owner_of(stem) for stem in blueprint_files()} - SERVING)


def tracked_files() -> list[Path]:
    """The files of this repository, those not yet added included, those ignored not."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def modules_below(folder: Path, root: Path = ROOT) -> dict[str, Path]:
    """The modules in a folder by their dotted names."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(path: Path) -> Iterator[str]:
    """Every dotted name a file imports; `from a import b` gives `a` and `a.b`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            assert node.level == 0, f"{path}:{node.lineno} imports relatively: write the full name"
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def import_graph(modules: dict[str, Path]) -> dict[str, set[str]]:
    """Which of these modules each of them imports."""
    return {
        name: {imported for imported in imports_of(path) if imported in modules} - {name}
        for name, path in modules.items()
    }
