"""Whether an instance was started before a change, by its version."""

import pytest

from orchestration.versions import is_before


@pytest.mark.parametrize(
    ("version", "change", "before"),
    [
        (None, "1.0", True),
        ("", "1.0", True),
        ("1.0", "2.0", True),
        ("1.9", "1.10", True),
        ("1.10", "1.9", False),
        ("2.0", "2.0", False),
        ("2", "2.0", False),
        ("2.0", "2.0.1", True),
        ("2.0.0", "2.0", False),
        ("3.0", "2.0", False),
        ("next", "2.0", False),  # a word is nothing that was ever there
    ],
)
def test_versions_are_ordered_by_their_numbers(
    version: str | None, change: str, before: bool
) -> None:
    assert is_before(version, change) is before
