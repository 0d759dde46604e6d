"""Times as .NET writes them."""

from datetime import UTC, datetime

NO_TIME = "0001-01-01T00:00:00+00:00"
LAST_TIME = "9999-12-31T23:59:59.9999999+00:00"


def time_text(time: datetime | None) -> str:
    """A time in UTC, with a fraction without trailing zeros."""
    if time is None:
        return NO_TIME
    text = time.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "+00:00"
