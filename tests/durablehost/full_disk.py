"""A disk with no room left, by the limit that the system sets to the size of a process's files."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

resource = pytest.importorskip("resource", reason="Windows sets no limit to the size of files")


def size_of(hub: Path) -> int:
    """How far the files of a hub reach that grow while it is written."""
    files = [hub.with_name(hub.name + ending) for ending in ("", "-wal")]
    return max(file.stat().st_size for file in files if file.exists())


@contextlib.contextmanager
def full_at(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def fill_for(process: int, size: int) -> None:
    """Let no file of another process grow beyond a size."""
    if not hasattr(resource, "prlimit"):
        pytest.skip("only Linux sets limits to another process")
    most = resource.prlimit(process, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(process, resource.RLIMIT_FSIZE, (size, most))


def make_room_for(process: int) -> None:
    most = resource.prlimit(process, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(process, resource.RLIMIT_FSIZE, (most, most))
