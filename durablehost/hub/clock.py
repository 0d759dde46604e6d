"""The current time, and when a timer is due."""

import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

log = logging.getLogger(__name__)

_A_JUMP: Final = timedelta(seconds=1)  # smaller steps are corrections


class Clock(Protocol):
    """The engine's only source of time."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        ...

    def due(self, fire_at: datetime, now: datetime) -> datetime:
        """When a timer for `fire_at`, scheduled at `now`, fires."""
        ...


def _machine_time() -> datetime:
    return datetime.now(UTC)


class SystemClock:
    """The machine's clock. If it is set back, time goes on from where it was."""

    def __init__(
        self,
        read: Callable[[], datetime] = _machine_time,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._elapsed = elapsed
        self._latest = (datetime.min.replace(tzinfo=UTC), 0.0)
        self._is_ahead = False

    def now(self) -> datetime:
        read, elapsed = self._read(), self._elapsed()
        latest, since = self._latest
        if read >= latest:
            self._is_ahead = False
            self._latest = read, elapsed
            return read
        now = latest + timedelta(seconds=elapsed - since)
        if not self._is_ahead and now - read >= _A_JUMP:
            self._is_ahead = True
            log.warning(
                "The machine's clock was set back by %s. Timers still follow the time before. After"
                " a restart of durablehost they fire late by that much.",
                timedelta(seconds=round((now - read).total_seconds())),
            )
        self._latest = now, elapsed
        return now

    def due(self, fire_at: datetime, now: datetime) -> datetime:
        """As in Azure Storage queues, the delay is rounded down to whole seconds."""
        return now + timedelta(seconds=max(0, math.floor((fire_at - now).total_seconds())))


class MovableClock(SystemClock):
    """The machine's clock, moved ahead by hand."""

    def __init__(self, ahead: timedelta) -> None:
        self.ahead = ahead
        super().__init__(lambda: _machine_time() + self.ahead)


class ManualClock:
    """A clock that a test moves."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def due(self, fire_at: datetime, now: datetime) -> datetime:
        return max(fire_at, now)

    def move_to(self, time: datetime) -> None:
        """Set the time; it can only go forward."""
        if time < self._now:
            raise ValueError(f"the clock is at {self._now} and cannot go back to {time}")
        self._now = time
