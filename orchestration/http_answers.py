"""Reading the result of `context.call_http`: its status, JSON, Retry-After and Location.

The host does not poll for a Python app: after a 202, the orchestrator has to ask again.
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
    """An HTTP response. Header names are in lower case; only the first value of each is kept."""

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
        """The body, or None if it is not JSON."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            return None

    def retry_after(self, now: datetime) -> timedelta | None:
        """The time of Retry-After, given in seconds or as a date; None if it cannot be read."""
        value = self.headers.get("retry-after", "").strip()
        if value.isascii() and value.isdigit():
            digits = value.lstrip("0") or "0"
            return timedelta(seconds=int(digits)) if len(digits) < 8 else _LONGEST
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return min(max(moment - now, timedelta(0)), _LONGEST)

    def location(self, asked: str) -> str | None:
        """The absolute address in Location; None if there is none, or if it is on another host.

        Credentials for one host must not reach another one.
        """
        if not (value := self.headers.get("location")):
            return None
        try:
            there, here = urljoin(asked, value), urlsplit(asked)
            target = urlsplit(there)
        except ValueError:
            return None
        same = (target.scheme, target.netloc.lower()) == (here.scheme, here.netloc.lower())
        return there if same else None
