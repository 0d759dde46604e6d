"""A short form of the sweep; `make chaos` runs the long form."""

from pathlib import Path

from tests.chaos.sweep import in_folder


def test_nothing_is_lost_however_often_durablehost_is_killed(tmp_path: Path) -> None:
    found = in_folder(tmp_path, kills=10, seed=20, say=print)

    assert found.words == []
    assert found.misses == 0
    assert found.instances > 20
    assert found.operations > 20
    assert found.events > 2
