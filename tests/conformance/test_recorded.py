"""durablehost gives the recorded answers of the real host.

The plays here are quick; `make conformance` plays every scenario to its end.
"""

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.conformance.playing import FOLDERS, SLOW, Played, plays

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
    """Play all folders that need no storage in parallel, because most scenarios only wait."""
    scratch = tmp_path_factory.mktemp("plays")
    with plays(WITHOUT_STORAGE, scratch, quick=True) as futures:
        yield futures


def require_no_difference(folder: str, played: Played) -> None:
    assert len(played.differences) == SCENARIOS[folder] - len(SLOW.get(folder, ()))
    assert not played.differing, f"{sorted(played.differing)} differ\n{played}"


@pytest.mark.parametrize("folder", WITHOUT_STORAGE)
def test_every_answer_is_as_recorded(folder: str, played: dict[str, "Future[Played]"]) -> None:
    require_no_difference(folder, played[folder].result())


@pytest.mark.azurite
def test_every_answer_that_needs_a_storage_is_as_recorded(
    tmp_path: Path, azurite_connection: str
) -> None:
    environ = {"AzureWebJobsStorage": azurite_connection}

    with plays([WITH_STORAGE], tmp_path, environ=environ, quick=True) as futures:
        require_no_difference(WITH_STORAGE, futures[WITH_STORAGE].result())
