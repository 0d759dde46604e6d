"""The store that these tests hold to its promises."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from durablehost.hub.backend import Backend
from durablehost.store import MEMORY, SqliteBackend


@pytest.fixture(params=["memory", "file"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """An empty hub, in memory and in a file."""
    hub = SqliteBackend(MEMORY if request.param == "memory" else tmp_path / "hub.db")
    yield hub
    hub.close()
