"""The current time for starters and activities, and the text form of a time.

An orchestrator takes the time from its context.
"""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import StringConstraints

# What `time_text` returns. Texts of two times compare like the times.
TimeText = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


def now() -> datetime:
    return datetime.now(UTC)


def time_text(moment: datetime) -> str:
    """Return a time as text, such as 2026-01-31T08:30:00Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
