"""Whether an instance was started before a change, by its version."""

import pytest

from orchestration.versions import is_before, is_leaving


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


@pytest.mark.parametrize(
    ("orchestrator", "version", "leaving"),
    [
        ("delivery_intake", "1.0", True),
        ("delivery_intake", "2.0", False),
        ("delivery_intake", None, True),
        ("trusted_delivery", "9.0", True),
        ("invoice_intake", None, False),
    ],
)
def test_what_is_leaving_is_a_name_or_what_is_older_than_a_version(
    orchestrator: str, version: str | None, leaving: bool
) -> None:
    assert is_leaving(orchestrator, version) is leaving
