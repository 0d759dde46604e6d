"""What time it is, for starters and activities; an orchestrator asks its context."""

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)
