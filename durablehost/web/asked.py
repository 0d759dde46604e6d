"""A request to the management API, read as the host reads it."""

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from durablehost.errors import BadRequest
from durablehost.hub.backend import Query
from durablehost.hub.history import compact
from durablehost.web.bodies import NestsTooDeep, read_json, read_text
from durablehost.web.dotnet_json import leading_comment
from durablehost.web.paths import query_parameters, split_target

TOKEN: Final = "x-ms-continuation-token"
_STATUSES: Final = {
    status.lower(): status
    for status in (
        "Running",
        "Completed",
        "ContinuedAsNew",
        "Failed",
        "Canceled",
        "Terminated",
        "Pending",
        "Suspended",
    )
}
_LONGEST_WAIT: Final = 86_400.0  # seconds
_TOP: Final = re.compile(r"\d{1,9}")
_SHORTEST_POLL: Final = 0.01  # seconds
_LONGEST_POLL: Final = 1.0
_BAD_JSON: Final = "Invalid JSON content"


class Asked:
    """A request, read as the host reads it."""

    def __init__(self, request: web.Request) -> None:
        self.request = request
        self.query = query_parameters(split_target(request.raw_path)[1])
        self._folded = {name.lower(): value for name, value in self.query.items()}
        self.origin = f"{request.scheme}://{request.host}"
        self.url = self.origin + request.raw_path

    @property
    def is_json(self) -> bool:
        given = self.request.headers.get("Content-Type", "")
        return given.partition(";")[0].strip().lower() == "application/json"

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self._folded.get(name.lower(), "").strip().lower()
        return {"true": True, "false": False}.get(value, default)

    def reason(self) -> str:
        """A reason: text or JSON. It becomes the output of the instance."""
        reason = self.query.get("reason", "")
        try:
            read_json(reason)
        except NestsTooDeep:
            raise BadRequest("The reason nests too deep.") from None
        except ValueError:  # words
            pass
        return reason

    def time(self, name: str) -> datetime | None:
        """A time, or None if it is missing or invalid: the host ignores invalid times."""
        try:
            time = datetime.fromisoformat(self._folded.get(name.lower(), ""))
            return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            return None

    def pause(self) -> tuple[float, float] | None:
        """How long a start waits for the end, and how often it looks."""
        if "timeout" not in self._folded or "pollinginterval" not in self._folded:
            return None
        try:
            within = float(self._folded["timeout"])
            every = float(self._folded["pollinginterval"])
        except ValueError:
            return None
        if every > within:
            raise BadRequest(
                f"Total timeout {self._folded['timeout']} should be bigger than retry timeout"
                f" {self._folded['pollinginterval']}"
            )
        if not 0 <= every <= within <= _LONGEST_WAIT:  # which nan is not, either
            raise BadRequest(f"A timeout has to be between 0 and {_LONGEST_WAIT:.0f} seconds.")
        return within, min(max(every, _SHORTEST_POLL), _LONGEST_POLL)

    def list_query(self) -> Query:
        named = self._folded.get("runtimestatus", "").split(",")
        statuses = {_STATUSES[name.strip().lower()] for name in named if name.lower() in _STATUSES}
        top = self._folded.get("top", "")
        return Query(
            prefix=self._folded.get("instanceidprefix", ""),
            statuses=frozenset(statuses),
            created_from=self.time("createdTimeFrom"),
            created_to=self.time("createdTimeTo"),
            after=_read_token(self.request.headers.get(TOKEN, "")),
            top=int(top) if _TOP.fullmatch(top) and 0 < int(top) <= 1000 else 100,
        )

    async def json(self) -> Any:
        """The value in the body."""
        return _value_in(await self._text())

    async def input_text(self) -> str | None:
        """The input of a start as JSON text, or None if the body is empty or null.

        It is a comment where the body begins with one.
        """
        if not self.request.body_exists:
            # Neither a body nor its length: the host takes it as an empty string.
            return None if "Content-Length" in self.request.headers else '""'
        text = await self._text()
        if comment := leading_comment(text):
            return comment
        value = _value_in(text) if text else None
        return None if value is None else compact(value)

    async def signal_text(self) -> str | None:
        """The input of a signal as JSON text, or None."""
        if not self.request.body_exists or not (text := await self._text()):
            return None
        return compact(_value_in(text) if self.is_json else text)

    async def _text(self) -> str:
        try:
            return await read_text(self.request, self.request.client_max_size)
        except ValueError:
            raise BadRequest(_BAD_JSON) from None


def _value_in(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        raise BadRequest(_BAD_JSON) from None


def write_token(last: str) -> str:
    """The token for the page after this id. Like Azure's, it contains a space and `!`."""
    coded = base64.b64encode(last.encode()).decode().replace("=", "-")
    return f"1!{len(coded)}!{coded} 1!0!"


def _read_token(token: str) -> str:
    if not token:
        return ""
    try:
        coded = token.split(" ")[0].split("!")[2]
        return base64.b64decode(coded.replace("-", "=").encode(), validate=True).decode()
    except (IndexError, binascii.Error, ValueError):
        return "\U0010ffff"  # behind every id: the host answers junk with an empty page
