"""What time it is, and when a delay ends."""

import math
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """The engine's only source of time."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        ...

    def due(self, fire_at: datetime, now: datetime) -> datetime:
        """When a timer for `fire_at`, scheduled at `now`, comes in."""
        ...


class SystemClock:
    """The machine's clock. After a jump back it stands still until time has caught up."""

    def __init__(self) -> None:
        self._latest = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        self._latest = max(self._latest, datetime.now(UTC))
        return self._latest

    def due(self, fire_at: datetime, now: datetime) -> datetime:
        """As Azure Storage queues do it: whole seconds, rounded down, from the scheduling on."""
        return now + timedelta(seconds=max(0, math.floor((fire_at - now).total_seconds())))


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
