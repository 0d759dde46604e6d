"""Async HTTP: percent and Retry-After follow from the steps and the times of an instance."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from blueprints.async_http_progress import percent_of, retry_after_seconds
from http_api.instances import Instance

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
def test_the_percentage_follows_from_the_steps(status: Any, state: str, percent: int) -> None:
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
def test_retry_after_follows_from_the_time_of_the_steps_so_far(
    status: Any, seconds: float, left: int
) -> None:
    assert retry_after_seconds(an_instance(status, seconds=seconds)) == left
