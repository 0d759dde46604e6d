"""The bench measures, and says which goals are met at the pace of the machine."""

import re
import subprocess
import sys

import pytest

from bench.figures import FILE, Figure
from bench.growth import Growth
from tests.source import ROOT


def test_the_bench_measures_a_shape_on_all_sides_and_gives_a_verdict() -> None:
    command = [sys.executable, "-m", "bench", "--runs", "1", "--only", "three activities"]

    printed = subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=120
    ).stdout

    measured = (
        r"three activities in a row, ms *\| ≤ \S+ *\| (yes|no) *(\| [\d.]+ / [\d.]+ / [\d.]+ *){4}"
    )
    assert re.search(measured, printed), printed
    assert re.search(r"\n(All 1 goals are met\.|Not met, 1 of 1 goals: three activities)", printed)


@pytest.mark.parametrize(
    ("unit", "values", "met"),
    [
        ("ms", [31.0, 29.0], True),
        ("ms", [31.0, 32.0], False),
        ("/s", [3.0, 3.5], True),
        ("/s", [3.0, 3.2], False),
    ],
)
def test_a_goal_is_for_the_best_run_at_the_median_pace(
    unit: str, values: list[float], met: bool
) -> None:
    # On a machine that is thrice as slow, a goal of 10 ms is 30 ms, and 10 a second are 3.3.
    figure = Figure("work", unit, 10, paces=[1.0, 3.0, 4.0])
    for value in values:
        figure.add(FILE, value)

    assert figure.is_met is met


def test_a_goal_is_as_it_stands_where_no_pace_was_measured() -> None:
    figure = Figure("work", "ms", 10)
    figure.add(FILE, 11)

    assert figure.is_met is False
    assert Figure("without a goal", "ms", runs={FILE: [11.0]}).is_met is None


def test_a_goal_for_growth_is_for_the_factor_between_both_times() -> None:
    assert Growth("work", (2.0, 22.0), goal=11).is_met
    assert not Growth("work", (2.0, 22.5), goal=11).is_met
