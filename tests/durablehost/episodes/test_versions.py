"""Which versions an app runs, by defaultVersion and versionMatchStrategy."""

import pytest

from durablehost.episodes import versions


@pytest.mark.parametrize(
    ("version", "default", "runs"),
    [
        ("1.0", "1.0", True),
        ("1.9", "1.10", True),
        ("1.10", "1.9", False),
        ("1.0", "1.0.0", True),
        ("1.0.0", "1.0", False),
        ("a", "B", True),
        ("B", "a", False),
        ("A", "a", True),
        ("10", "9", True),  # no versions to .NET, so words
        (None, "1.0", True),
        ("", None, True),
        ("1.0", None, False),
    ],
)
def test_current_or_older_runs_versions_that_are_not_newer(
    version: str | None, default: str | None, runs: bool
) -> None:
    assert versions.runs_here(version, default, "CurrentOrOlder") == runs


@pytest.mark.parametrize(
    ("version", "default", "runs"),
    [("2.0", "2.0", True), ("1.0", "2.0", False), ("3.0", "2.0", False), ("", "2.0", False)],
)
def test_with_strict_only_the_exact_version_runs(version: str, default: str, runs: bool) -> None:
    assert versions.runs_here(version, default, "Strict") == runs


@pytest.mark.parametrize("version", [None, "", "1.0", "3.0", "abc"])
def test_any_version_runs_without_a_default_version(version: str | None) -> None:
    assert versions.runs_here(version, "2.0", "None")
