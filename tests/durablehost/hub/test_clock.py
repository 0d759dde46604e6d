"""The machine's clock, which may go back."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from durablehost.hub.clock import SystemClock

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Machine:
    """A machine whose clock somebody sets, while time passes as ever."""

    def __init__(self) -> None:
        self.time = NOON
        self.elapsed = 100.0

    def pass_by(self, seconds: float) -> None:
        self.elapsed += seconds
        self.time += timedelta(seconds=seconds)

    def clock(self) -> SystemClock:
        return SystemClock(lambda: self.time, lambda: self.elapsed)


def test_it_shows_the_machines_time() -> None:
    machine = Machine()
    clock = machine.clock()
    first = clock.now()
    machine.pass_by(5)

    assert (first, clock.now()) == (NOON, NOON + timedelta(seconds=5))


def test_after_the_system_clock_jumps_back_time_continues_normally(
    caplog: pytest.LogCaptureFixture,
) -> None:
    machine = Machine()
    clock = machine.clock()
    clock.now()
    machine.pass_by(5)
    machine.time -= HOUR
    times = [clock.now()]
    machine.pass_by(10)
    times.append(clock.now())

    assert times == [NOON + timedelta(seconds=5), NOON + timedelta(seconds=15)]
    assert [(one.levelno, one.message) for one in caplog.records] == [
        (
            logging.WARNING,
            "The machine's clock was set back by 1:00:00. Timers still follow the time before."
            " After a restart of durablehost they fire late by that much.",
        )
    ]


def test_once_the_machine_has_caught_up_its_time_is_shown_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    machine = Machine()
    clock = machine.clock()
    clock.now()
    machine.time -= HOUR
    clock.now()
    machine.time += 2 * HOUR
    caught_up = clock.now()
    machine.time -= HOUR
    clock.now()

    assert caught_up == NOON + HOUR
    assert len(caplog.records) == 2


def test_a_tiny_correction_of_the_clock_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    clock = machine.clock()
    first = clock.now()
    machine.time -= timedelta(milliseconds=5)
    second = clock.now()

    assert second == first
    assert caplog.records == []
