"""What `context.call_http` answers, read for its status, its JSON and its Retry-After.

The platform does not follow a 202 for Python: whoever gets one asks again by a timer.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final, Self
from urllib.parse import urljoin, urlsplit

_LONGEST: Final = timedelta(days=365)


@dataclass(frozen=True)
class HttpAnswer:
    """An answer; the names of its headers in lower case, of several values the first."""

    status: int
    headers: Mapping[str, str]
    content: str

    @classmethod
    def of(cls, result: Mapping[str, Any]) -> Self:
        headers = {
            name.lower(): value if isinstance(value, str) else str(next(iter(value), ""))
            for name, value in (result.get("headers") or {}).items()
        }
        return cls(int(result["statusCode"]), headers, result.get("content") or "")

    def json(self) -> Any:
        """The body; None where it is no JSON."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            return None

    def retry_after(self, now: datetime) -> timedelta | None:
        """How long it asks to wait, in seconds or until a date; None where that cannot be read."""
        said = self.headers.get("retry-after", "").strip()
        if said.isascii() and said.isdigit():
            digits = said.lstrip("0") or "0"
            return timedelta(seconds=int(digits)) if len(digits) < 8 else _LONGEST
        try:
            moment = parsedate_to_datetime(said)
        except (ValueError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return min(max(moment - now, timedelta(0)), _LONGEST)

    def location(self, asked: str) -> str | None:
        """The address it points to; None for none, and for one at another host than was asked.

        What opens the one host is not to be sent to another.
        """
        if not (said := self.headers.get("location")):
            return None
        try:
            there, here = urljoin(asked, said), urlsplit(asked)
            target = urlsplit(there)
        except ValueError:
            return None
        same = (target.scheme, target.netloc.lower()) == (here.scheme, here.netloc.lower())
        return there if same else None
