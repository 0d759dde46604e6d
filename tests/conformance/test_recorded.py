"""durablehost gives the recorded answers of the real host, except in the listed scenarios.

The plays here are quick; `make conformance` plays every scenario to its end.
"""

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.conformance.playing import FOLDERS, NOT_YET, SLOW, Played, expected_to_differ, plays

SCENARIOS = {
    "durable": 239,
    "http": 10,
    "changes": 48,
    "more": 89,
    "timeouts": 8,
    "versions": 18,
}
WITH_STORAGE = "more"
WITHOUT_STORAGE = [folder for folder in FOLDERS if folder != WITH_STORAGE]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, "Future[Played]"]]:
    """All folders that need no storage, played side by side: most scenarios only wait."""
    scratch = tmp_path_factory.mktemp("plays")
    with plays(WITHOUT_STORAGE, scratch, quick=True) as futures:
        yield futures


def require_that_the_listed_differ(folder: str, played: Played) -> None:
    assert len(played.differences) == SCENARIOS[folder] - len(SLOW.get(folder, ()))
    listed = expected_to_differ(folder, played)
    new, gone = played.differing - listed, listed - played.differing
    assert not new, f"{sorted(new)} differ and are not in not_yet.json\n{played}"
    assert not gone, f"{sorted(gone)} agree: remove them from not_yet.json"


@pytest.mark.parametrize("folder", WITHOUT_STORAGE)
def test_only_the_listed_scenarios_differ(folder: str, played: dict[str, "Future[Played]"]) -> None:
    require_that_the_listed_differ(folder, played[folder].result())


@pytest.mark.azurite
def test_only_the_listed_scenarios_with_storage_differ(
    tmp_path: Path, azurite_connection: str
) -> None:
    environ = {"AzureWebJobsStorage": azurite_connection}

    with plays([WITH_STORAGE], tmp_path, environ=environ, quick=True) as futures:
        require_that_the_listed_differ(WITH_STORAGE, futures[WITH_STORAGE].result())


def test_every_answer_of_these_folders_agrees() -> None:
    assert not {"durable", "http", "changes", "versions"} & set(NOT_YET)
