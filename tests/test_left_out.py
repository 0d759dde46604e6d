"""A test run says at its end what it left out, and why."""

import re

import pytest

from tests import azurite, left_out

SOME_LEFT_OUT = """
import pytest

@pytest.mark.azurite
@pytest.mark.parametrize("number", [1, 2])
def test_of_blobs(number):
    raise AssertionError("there is no Azurite to test with")

@pytest.mark.skipif(True, reason="Windows has no signals to send")
def test_of_signals():
    raise AssertionError("there are no signals")

def test_of_neither():
    pass
"""


def summary_of(pytester: pytest.Pytester, tests: str) -> list[str]:
    """The lines below the heading, after running these tests."""
    pytester.makepyfile(tests)
    quietly = ("-p", "no:cacheprovider", "-p", "no:xdist", "-W", "ignore", "-o", "markers=azurite")
    run = pytester.runpytest_inprocess(*quietly, plugins=[azurite, left_out])
    lines = run.outlines
    heading = [n for n, line in enumerate(lines) if re.fullmatch("=+ left out =+", line)]
    return list(filter(None, lines[heading[0] + 1 : -1])) if heading else []


def test_each_reason_is_named_with_the_number_of_its_tests(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURITE_CONNECTION", raising=False)
    monkeypatch.setenv("NO_AZURITE", "Azurite needs Node, and Node is not installed")

    assert summary_of(pytester, SOME_LEFT_OUT) == [
        "2 tests: Azurite needs Node, and Node is not installed",
        "1 test: Windows has no signals to send",
    ]


def test_a_run_that_leaves_nothing_out_says_nothing(pytester: pytest.Pytester) -> None:
    assert summary_of(pytester, "def test_of_neither(): pass") == []
