"""How far an instance is, and when to look again, follow from its steps and its times."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from http_api.instances import Instance
from http_api.progress import percent_of, seconds_left

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def an_instance(status: Any, state: str = "Running", seconds: float = 0) -> Instance:
    return Instance(
        id="i",
        name="work",
        parent=None,
        state=state,
        input=None,
        custom_status=status,
        output=None,
        created=BEGAN,
        updated=BEGAN + timedelta(seconds=seconds),
    )


def steps(done: object, of: object) -> dict[str, object]:
    return {"step": "on", "done": done, "of": of}


@pytest.mark.parametrize(
    ("status", "state", "percent"),
    [
        (None, "Pending", 0),
        ("words", "Running", 0),
        ({}, "Running", 0),
        (steps(0, 0), "Running", 0),
        (steps("1", 2), "Running", 0),
        (steps(0, 13), "Running", 0),
        (steps(1, 3), "Running", 33),
        (steps(13, 13), "Running", 99),
        (steps(13, 13), "Completed", 100),
        (steps(4, 13), "Completed", 30),
        (steps(4, 13), "Failed", 30),
    ],
)
def test_a_share_of_the_steps_is_done(status: Any, state: str, percent: int) -> None:
    assert percent_of(an_instance(status, state)) == percent


@pytest.mark.parametrize(
    ("status", "seconds", "left"),
    [
        (None, 30, 5),
        (steps(0, 10), 30, 5),
        (steps(5, 10), 20, 20),
        (steps(9, 10), 9.5, 2),
        (steps(9, 10), 0, 1),
        (steps(10, 10), 30, 1),
        (steps(1, 10), 3600, 60),
    ],
)
def test_the_steps_that_are_left_take_as_long_as_the_others_within_bounds(
    status: Any, seconds: float, left: int
) -> None:
    assert seconds_left(an_instance(status, seconds=seconds)) == left
