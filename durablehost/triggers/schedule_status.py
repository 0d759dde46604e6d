"""When a timer trigger last ran and when it is to run next, as the host keeps it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from durablehost.app.ncrontab import Schedule
from durablehost.triggers.dotnet import time_text

NEVER_YET = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class ScheduleStatus:
    """The status of one timer, which its function receives as `schedule_status`."""

    last: datetime
    next: datetime
    last_updated: datetime

    def to_json(self) -> dict[str, str]:
        return {
            "Last": time_text(self.last),
            "Next": time_text(self.next),
            "LastUpdated": time_text(self.last_updated),
        }

    @classmethod
    def from_text(cls, text: str) -> "ScheduleStatus":
        fields = json.loads(text)
        names = ("Last", "Next", "LastUpdated")
        return cls(*(datetime.fromisoformat(fields[name]) for name in names))


def for_new_timer(schedule: Schedule, now: datetime) -> ScheduleStatus:
    """The status of a timer that has not run yet."""
    return ScheduleStatus(NEVER_YET, schedule.next_after(now), now)


def after_run(schedule: Schedule, at: datetime) -> ScheduleStatus:
    return ScheduleStatus(at, schedule.next_after(at), at)


def adapted(status: ScheduleStatus, schedule: Schedule, now: datetime) -> ScheduleStatus:
    """The status from an earlier start; for another schedule a new one.

    A new schedule is never past due at once: earlier occurrences do not run later.
    """
    known = next((t for t in (status.last, status.last_updated) if t != NEVER_YET), now)
    expected = schedule.next_after(known)
    if status.next == expected:
        return status
    if now > expected:
        known, expected = now, schedule.next_after(now)
    return ScheduleStatus(NEVER_YET, expected, known)
