"""The arrows in docs/architecture.md, and the names a reader can count on."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.building_blocks import BUILDING_BLOCKS, building_blocks, most_blocks
from tests.source import (
    ROOT,
    SERVING,
    blueprint_files,
    import_graph,
    imports_of,
    modules_below,
    owner_of,
    patterns,
    tracked_files,
)

FOLDERS = {
    "activities",
    "api_description",
    "bench",
    "blueprints",
    "deployment",
    "durablehost",
    "http_api",
    "orchestration",
    "sandbox",
}
OURS = FOLDERS | {"function_app", "tests"}

# what of ours a package may import, itself aside; a test may import all
ARROWS = {
    "function_app": {"activities", "blueprints"},
    "blueprints": {"activities", "http_api", "orchestration"},
    "activities": {"orchestration.failures"},
    "api_description": {"activities", "blueprints", "function_app", "http_api"},
    "http_api": {"orchestration.failures"},
    "orchestration": set[str](),
    "durablehost": set[str](),
    "deployment": set[str](),
    "sandbox": set[str](),
}

# What the building blocks know nothing of.
BUSINESS = r"\b(approval|bank|document(?!\.query)|invoice|mail|payment|tax|vendor)s?\b"

# What a package of durablehost may import of the others; `docs/architecture.md` draws it.
INSIDE = {
    "errors": set[str](),
    "sdk_patches": set[str](),
    "settings": {"errors"},
    "app": {"errors", "sdk_patches", "settings"},
    "hub": {"app", "errors"},
    "calling": {"app", "errors", "hub", "sdk_patches", "settings"},
    "lint": {"app", "errors", "settings"},
    "episodes": {"app", "errors", "hub", "sdk_patches", "settings"},
    "store": {"errors", "hub"},
    "triggers": {"app", "calling", "errors", "hub", "settings"},
    "engine": {"app", "calling", "episodes", "errors", "hub", "settings"},
    "web": {"app", "calling", "errors", "hub", "settings"},
    "tracing": {"app", "calling", "engine", "hub", "store", "web"},
    "replaying": {"app", "calling", "episodes", "errors", "hub"},
    "dashboard": {
        "app",
        "calling",
        "episodes",
        "errors",
        "hub",
        "replaying",
        "sdk_patches",
        "store",
        "web",
    },
    "testing": {
        "app",
        "calling",
        "engine",
        "episodes",
        "errors",
        "hub",
        "replaying",
        "sdk_patches",
        "settings",
        "store",
        "triggers",
        "web",
    },
    "command": {
        "app",
        "calling",
        "dashboard",
        "engine",
        "errors",
        "hub",
        "lint",
        "replaying",
        "sdk_patches",
        "settings",
        "store",
        "tracing",
        "triggers",
        "web",
    },
    "pytest_plugin": {"testing"},
    "__main__": {"command", "errors", "store"},
}
# Modules that decide and do nothing else: no clock, no storage, no calls.
PURE = (
    "episodes.changed_code",
    "episodes.conclusion",
    "episodes.episode_problems",
    "episodes.external_events",
    "episodes.scheduled",
    "episodes.tasks",
    "episodes.waits",
    "episodes.walk",
)
PURE_KNOWS = ("app.functions", "episodes", "hub.backend", "hub.history", "hub.problems")
LEAVES = ("app.functions", "errors", "hub.clock", "hub.history")

SAY_NOTHING = {"base", "common", "core", "helpers", "managers", "misc", "services", "utils"}

BLOCKS = {
    name: path for folder in BUILDING_BLOCKS for name, path in modules_below(ROOT / folder).items()
}

# The templates are apps to copy, not modules of durablehost.
MODULES = {
    name: path
    for name, path in modules_below(ROOT / "durablehost").items()
    if not name.startswith("durablehost.templates.")
}
DURABLEHOST = import_graph(MODULES)


def is_below(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def package_of(module: str) -> str:
    """The part of durablehost that a module belongs to; the package itself is none."""
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("package", ARROWS)
def test_imports_follow_the_arrows(package):
    paths = modules_below(ROOT / package) or {package: ROOT / f"{package}.py"}
    allowed = ARROWS[package] | {package}

    against = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in paths.values()
        if path.exists()
        for name in imports_of(path)
        # `from orchestration import failures` names the package on its way to the module
        if is_below(name, OURS)
        and not is_below(name, allowed)
        and not any(arrow.startswith(f"{name}.") for arrow in allowed)
    }

    assert against == set()


def test_every_part_of_durablehost_has_its_arrows():
    assert {package_of(module) for module in DURABLEHOST} - {""} == set(INSIDE)


@pytest.mark.parametrize("package", INSIDE)
def test_a_part_of_durablehost_imports_only_what_its_arrows_lead_to(package):
    against = {
        f"{module} imports {imported}"
        for module in DURABLEHOST
        if package_of(module) == package
        for imported in DURABLEHOST[module]
        if package_of(imported) not in INSIDE[package] | {package, ""}
    }

    assert against == set()


def test_the_arrows_of_durablehost_lead_one_way():
    TopologicalSorter(INSIDE).prepare()


@pytest.mark.parametrize("module", LEAVES)
def test_a_leaf_package_of_durablehost_imports_no_other_package(module):
    assert DURABLEHOST[f"durablehost.{module}"] == set()


@pytest.mark.parametrize("module", PURE)
def test_the_modules_that_decide_import_neither_clock_nor_storage(module):
    known = {f"durablehost.{name}" for name in PURE_KNOWS}
    packages = {"durablehost.app", "durablehost.hub"}  # named on the way to a module

    imported = DURABLEHOST[f"durablehost.{module}"] - packages
    path = MODULES[f"durablehost.{module}"]

    assert {name for name in imported if not is_below(name, known)} == set()
    assert "durablehost.hub.backend.Backend" not in set(imports_of(path))


@pytest.mark.parametrize("package", sorted(FOLDERS))
def test_no_module_imports_itself_by_way_of_others(package):
    try:
        TopologicalSorter(import_graph(modules_below(ROOT / package))).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_every_name_of_a_file_or_folder_says_something():
    silent = [
        str(path.relative_to(ROOT))
        for path in tracked_files()
        if SAY_NOTHING & {part.split(".")[0].strip("_") for part in path.relative_to(ROOT).parts}
    ]

    assert silent == []


@pytest.mark.parametrize("pattern", patterns())
def test_a_pattern_has_its_tests_and_its_page_under_the_same_stem(pattern):
    assert (ROOT / "tests" / "blueprints" / f"test_{pattern}.py").is_file()
    assert (ROOT / "docs" / "patterns" / f"{pattern}.md").is_file()


def test_every_page_and_test_belongs_to_a_pattern():
    pages = {path.stem for path in (ROOT / "docs" / "patterns").glob("*.md")}
    tests = (ROOT / "tests" / "blueprints").glob("test_*.py")

    assert pages - {"index"} - SERVING <= set(patterns())
    assert {owner_of(path.stem.removeprefix("test_")) for path in tests} == {*patterns(), *SERVING}


def test_no_pattern_imports_a_part_of_another_pattern():
    known = {f"blueprints.{stem}" for stem in blueprint_files()}
    strangers = {
        (owner_of(stem), name.removeprefix("blueprints."))
        for stem, path in blueprint_files().items()
        for name in set(imports_of(path)) & known
    }
    strangers = {(ours, theirs) for ours, theirs in strangers if ours != owner_of(theirs)}

    assert {each for each in strangers if owner_of(each[1]) not in SERVING} == set()


REGISTERED = re.compile(r"^app\.register_functions\((\w+)\.bp\)$", re.MULTILINE)
REGISTRATIONS = (ROOT / "function_app.py").read_text("utf-8")


def stems_with_functions(folder: str) -> set[str]:
    return {
        path.stem
        for path in modules_below(ROOT / folder).values()
        if re.search(r"^bp = df\.Blueprint\(\)$", path.read_text("utf-8"), re.MULTILINE)
    }


def test_every_module_with_functions_is_registered_once():
    with_functions = stems_with_functions("blueprints") | stems_with_functions("activities")

    assert sorted(REGISTERED.findall(REGISTRATIONS)) == sorted(with_functions)


def test_the_modules_of_a_pattern_are_registered_under_its_name():
    groups = re.findall(r"^# (\w+)[^:\n]*: .*\n((?:app\..*\n)+)", REGISTRATIONS, re.MULTILINE)
    group_of = {stem: name for name, lines in groups for stem in REGISTERED.findall(lines)}

    callers: dict[str, set[str]] = {stem: set() for stem in stems_with_functions("activities")}
    for stem, path in blueprint_files().items():
        for name in set(imports_of(path)) & {f"activities.{each}" for each in callers}:
            callers[name.removeprefix("activities.")].add(owner_of(stem))
    expected = {
        activities: next(iter(callers_of)) if len(callers_of) == 1 else "several"
        for activities, callers_of in callers.items()
    }
    for stem in stems_with_functions("blueprints"):
        expected[stem] = "operations" if owner_of(stem) in SERVING else owner_of(stem)

    assert group_of == expected


@pytest.mark.parametrize("path", BLOCKS.values(), ids=list(BLOCKS))
def test_a_building_block_knows_nothing_of_accounts_payable(path):
    assert re.findall(BUSINESS, path.read_text("utf-8"), re.IGNORECASE) == []


@pytest.mark.parametrize(("pattern", "blocks"), building_blocks().items())
def test_a_pattern_needs_few_building_blocks(pattern, blocks):
    assert len(blocks) <= most_blocks(pattern), blocks


ONE_SCREEN = 45  # lines


@pytest.mark.parametrize("path", blueprint_files().values(), ids=list(blueprint_files()))
def test_an_orchestrator_fits_on_one_screen(path):
    lengths = {
        node.name: (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
        and any("orchestration_trigger" in ast.unparse(each) for each in node.decorator_list)
    }

    assert {name: length for name, length in lengths.items() if length > ONE_SCREEN} == {}


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def has_code(path: Path) -> bool:
    """Whether a module is more than a docstring."""
    return len(ast.parse(path.read_text("utf-8")).body) > 1


# Each rule of the linter has a page of its own instead; `tests/durablehost/lint` checks that.
NAMED = sorted(name for name in MODULES if not name.startswith("durablehost.lint.rules."))


@pytest.mark.parametrize("module", NAMED)
def test_the_page_names_each_file_of_durablehost_once(module):
    name = MODULES[module].relative_to(ROOT / "durablehost").as_posix()

    assert ARCHITECTURE.count(f"`{name}`") == (1 if has_code(MODULES[module]) else 0)


def test_the_page_names_only_files_of_durablehost_that_exist():
    folders = "|".join(sorted(INSIDE))
    named = re.findall(rf"`((?:{folders})/\w+\.py)`", ARCHITECTURE)

    assert len(named) > 60
    assert [name for name in named if not (ROOT / "durablehost" / name).is_file()] == []


def test_the_page_draws_the_packages_of_durablehost_with_every_arrow_down():
    drawn = next(text for text in ARCHITECTURE.split("```") if "pytest_plugin" in text)
    lines = [set(re.split(r" {3,}", line)[0].split()) for line in drawn.strip().splitlines()]
    below = {
        package: set[str]().union(*lines[number + 1 :])
        for number, line in enumerate(lines)
        for package in line
    }

    assert set(below) == set(INSIDE)
    assert {package: INSIDE[package] - below[package] for package in INSIDE} == {
        package: set[str]() for package in INSIDE
    }


def test_the_tests_of_durablehost_are_in_the_folders_of_its_packages():
    packages = {
        package_of(name) for name, path in MODULES.items() if path.parent.name != "durablehost"
    }
    tests = (ROOT / "tests" / "durablehost").rglob("test_*.py")
    folders = {path.parent.relative_to(ROOT / "tests" / "durablehost").as_posix() for path in tests}

    assert folders - {"."} == packages
