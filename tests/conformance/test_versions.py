"""What the settings in host.json do to an instance of a version. Every cell was measured."""

import sys
from pathlib import Path

import pytest

from durablehost.app.functions import FunctionTable
from durablehost.app.loading import load_app
from durablehost.settings import Settings
from durablehost.testing import ManualHub

NO_DEFAULT = Settings()
DEFAULT_1 = Settings(default_version="1.0")
DEFAULT_2 = Settings(default_version="2.0")
STRICT = Settings(default_version="2.0", version_match="Strict")
STRICT_FAIL = Settings(default_version="2.0", version_match="Strict", version_failure="Fail")
COLUMNS = (NO_DEFAULT, DEFAULT_1, DEFAULT_2, STRICT, STRICT_FAIL)

# The version it was started with, then what `context.version` was where it ran.
TABLE = (
    (None, "None", "'1.0'", "'2.0'", "'2.0'", "'2.0'"),
    ("", "''", "''", "''", "Pending", "Failed"),
    ("1.0", "Pending", "'1.0'", "'1.0'", "Pending", "Failed"),
    ("1.5", "Pending", "Pending", "'1.5'", "Pending", "Failed"),
    ("2.0", "Pending", "Pending", "'2.0'", "'2.0'", "'2.0'"),
    ("3.0", "Pending", "Pending", "Pending", "Pending", "Failed"),
    ("abc", "Pending", "Pending", "Pending", "Pending", "Failed"),
)
CELLS = [
    pytest.param(version, settings, cell, id=f"{version}-{number}")
    for version, *row in TABLE
    for number, (settings, cell) in enumerate(zip(COLUMNS, row, strict=True))
]
MISMATCH = "VersionMismatch: Orchestration version did not comply with Worker Versioning"


@pytest.fixture(scope="module")
def table() -> FunctionTable:
    before = sys.path[:]
    try:
        return load_app(Path(__file__).parent / "versions")
    finally:
        sys.path[:] = before


@pytest.mark.parametrize(("version", "settings", "cell"), CELLS)
async def test_an_instance_runs_waits_or_fails_by_its_version(
    table: FunctionTable, version: str | None, settings: Settings, cell: str
) -> None:
    async with ManualHub(table, settings=settings) as hub:
        hub.allow_problems("version-mismatch")
        instance = hub.instance(await hub.start("which", version=version))
        found = instance.status if instance.output is None else hub.output(instance.id)

    assert found == (MISMATCH if cell == "Failed" else cell)
    assert instance.status == {"Pending": "Pending", "Failed": "Failed"}.get(cell, "Completed")


async def test_a_child_without_a_version_gets_the_default_and_not_its_parents(
    table: FunctionTable,
) -> None:
    async with ManualHub(table, settings=DEFAULT_2) as hub:
        hub.allow_problems("version-mismatch")
        parent = await hub.start("parent", version="1.0")

        assert hub.output(parent) == ["1.0", "'2.0'", "'0.5'"]


async def test_continue_as_new_keeps_the_version(table: FunctionTable) -> None:
    async with ManualHub(table, settings=DEFAULT_2) as hub:
        hub.allow_problems("version-mismatch")
        instance = await hub.start("again", version="1.5")

        assert hub.output(instance) == "'1.5'"


async def test_a_child_of_a_version_that_does_not_match_leaves_its_parent_running(
    table: FunctionTable,
) -> None:
    async with ManualHub(table, settings=STRICT) as hub:
        hub.allow_problems("version-mismatch", "stuck-child")
        parent = await hub.start("parent")

        assert hub.status(parent) == "Running"


async def test_a_parent_whose_child_is_refused_fails_with_none_twice(table: FunctionTable) -> None:
    async with ManualHub(table, settings=STRICT_FAIL) as hub:
        hub.allow_problems("version-mismatch")
        parent = await hub.start("parent")

        assert hub.output(parent) == "Orchestrator function 'parent' failed: None \n None"


async def test_an_instance_that_never_runs_here_is_said_to(table: FunctionTable) -> None:
    async with ManualHub(table, settings=DEFAULT_2) as hub:
        hub.allow_problems("version-mismatch")
        waiting = await hub.start("which", version="3.0")

        assert [problem.kind for problem in hub.problems(waiting)] == ["version-mismatch"]
