"""The arrows in docs/architecture.md, and the names a reader can count on."""

import re
from graphlib import CycleError, TopologicalSorter

import pytest

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
    "bench",
    "blueprints",
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
    "activities": {"orchestration.failures", "orchestration.limits"},
    "http_api": {"orchestration.failures", "orchestration.limits"},
    "orchestration": set[str](),
    "durablehost": set[str](),
    "sandbox": set[str](),
}

# Which pattern uses another as it is; nothing but the file of its own name, of which no part.
BUILT_UPON = {
    ("document_pipeline", "chaining"),  # an invoice is posted by the same intake, as a child
    ("document_pipeline", "human_approval"),  # a link in a mail is checked in the same way
    ("versioning", "chaining"),  # a delivery brings the same invoice
}

# What the building blocks know nothing of; the app's own lists of ids, events and limits do.
BUSINESS = r"\b(approval|bank|document|invoice|mail|payment|tax|vendor)s?\b"
LISTS = {"events", "ids", "limits"}

LEAVES = ("errors", "history", "clock", "functions")
# what of durablehost a part of durablehost may never import, however far the arrows lead
NEVER = {
    "actions": {"backend", "engine", "hub", "store", "web"},
    "external_events": {"backend", "engine", "hub", "store", "web"},
    "tasks": {"backend", "engine", "hub", "store", "web"},
    "waits": {"backend", "engine", "hub", "store", "web"},
    "episode": {"backend", "clock", "engine", "hub", "store", "web"},
    "activities": {"engine", "hub", "store", "web"},
    "replays": {"engine", "hub", "store", "web"},
    "gathering": {"backend", "engine", "hub", "store", "web"},
    "backend": {"engine", "hub", "store", "web"},
    "store": {"engine", "episode", "hub", "web"},
    "engine": {"hub", "store", "web"},
    "hub": {"engine", "store", "web"},
    "manual_work": {"engine", "store", "web"},
    "web": {"engine", "episode", "store"},
    "triggers": {"engine", "hub", "store", "web"},
}

SAY_NOTHING = {"base", "common", "core", "helpers", "managers", "misc", "services", "utils"}

DURABLEHOST = import_graph(modules_below(ROOT / "durablehost"))


def is_below(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def part_of(package: str) -> dict[str, str]:
    """The modules of a part of durablehost, be it a file or a folder, and what each imports."""
    return {
        f"{name} -> {imported}": imported
        for name in DURABLEHOST
        if is_below(name, {f"durablehost.{package}"})
        for imported in DURABLEHOST[name]
    }


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


@pytest.mark.parametrize("leaf", LEAVES)
def test_a_leaf_of_durablehost_imports_nothing_of_ours(leaf):
    assert part_of(leaf) == {}


@pytest.mark.parametrize("part", NEVER)
def test_a_part_of_durablehost_does_not_know_what_is_not_its_business(part):
    never = {f"durablehost.{name}" for name in NEVER[part]}

    assert [arrow for arrow, imported in part_of(part).items() if is_below(imported, never)] == []


def test_only_the_top_of_durablehost_names_the_store_it_uses():
    store = {"durablehost.store"}
    knowing = {
        name
        for name, imported in DURABLEHOST.items()
        if any(is_below(one, store) for one in imported) and not is_below(name, store)
    }

    assert knowing <= {"durablehost.__main__", "durablehost.host", "durablehost.testing"}


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


def test_no_page_or_test_is_left_of_a_pattern_that_is_gone():
    pages = {path.stem for path in (ROOT / "docs" / "patterns").glob("*.md")}
    tests = (ROOT / "tests" / "blueprints").glob("test_*.py")

    assert pages - {"index"} - SERVING <= set(patterns())
    assert {owner_of(path.stem.removeprefix("test_")) for path in tests} == {*patterns(), *SERVING}


def test_a_part_of_a_pattern_is_for_that_pattern_alone():
    known = {f"blueprints.{stem}" for stem in blueprint_files()}
    strangers = {
        (owner_of(stem), name.removeprefix("blueprints."))
        for stem, path in blueprint_files().items()
        for name in set(imports_of(path)) & known
    }
    strangers = {(ours, theirs) for ours, theirs in strangers if ours != owner_of(theirs)}

    assert {each for each in strangers if owner_of(each[1]) not in SERVING} == BUILT_UPON


@pytest.mark.parametrize("name", sorted(modules_below(ROOT / "orchestration")))
def test_a_building_block_knows_nothing_of_accounts_payable(name):
    text = modules_below(ROOT / "orchestration")[name].read_text("utf-8")

    assert name.rpartition(".")[2] in LISTS or re.findall(BUSINESS, text, re.IGNORECASE) == []
