"""The current time for starters and activities, and the text form of a time.

An orchestrator takes the time from its context.
"""

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)


def time_text(moment: datetime) -> str:
    """Return a time as text, such as 2026-01-31T08:30:00Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
