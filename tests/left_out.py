"""Says at the end of a test run which tests were left out, and why."""

from collections import Counter
from collections.abc import Iterable

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = left_out(terminalreporter.getreports("skipped"))
    if lines:
        terminalreporter.section("left out")
        for line in lines:
            terminalreporter.line(line)


def left_out(skipped: Iterable[pytest.TestReport]) -> list[str]:
    """One line for each reason, with the number of tests that were skipped for it."""
    reasons = Counter(_reason(report) for report in skipped)
    return [f"{_tests(count)}: {reason}" for reason, count in reasons.most_common()]


def _reason(report: pytest.TestReport) -> str:
    assert isinstance(report.longrepr, tuple), "pytest gives file, line and reason of a skip"
    return report.longrepr[2].removeprefix("Skipped: ")


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"
