"""HTTP to the parties outside: what they refuse and what fails become Failures with a code."""

import asyncio
import io
import os
from datetime import timedelta
from typing import Any, Final

import aiohttp

from orchestration import limits
from orchestration.failures import Failure, is_code

TIMEOUT: Final = timedelta(seconds=20)

_KEY_HEADER: Final = "Idempotency-Key"
_TRY_AGAIN: Final = frozenset({408, 425, 429})
_LONGEST_MESSAGE: Final = limits.MESSAGE_CHARS.most

_sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}


async def ask(
    party: str,
    method: str,
    path: str = "",
    *,
    json: Any = None,
    data: bytes | None = None,
    query: dict[str, str] | None = None,
    key: str | None = None,
    bearer: str | None = None,
    within: timedelta = TIMEOUT,
) -> Any:
    """Send a request to a party, whose address is in the setting `<PARTY>_URL`; return its JSON.

    A refusal (4xx) raises a Failure with the party's own code. No answer, 5xx and junk raise one
    that is worth another attempt: asked again with the same `key`, a party does a thing once.
    """
    url = address_of(party) + path
    headers = {_KEY_HEADER: key} if key else {}
    headers |= {"Authorization": f"Bearer {bearer}"} if bearer else {}
    limit = aiohttp.ClientTimeout(total=within.total_seconds())
    content = None if data is None else io.BytesIO(data)  # bytes would be sent in one piece
    try:
        async with _session().request(
            method, url, json=json, data=content, params=query, headers=headers, timeout=limit
        ) as answer:
            body = await answer.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:  # ValueError: it is no JSON
        raise unavailable(party, "gave no answer that can be read") from error
    if answer.status >= 400:
        raise refusal_of(party, answer.status, body)
    return body


async def close() -> None:
    """Close the connections of this event loop; whoever ends a loop does it before."""
    session = _sessions.pop(asyncio.get_running_loop(), None)
    if session is not None:
        await session.close()


def refusal_of(party: str, status: int, body: Any) -> Failure:
    """What a status from 400 on means: the party's own code, or one worth another attempt."""
    if status >= 500 or status in _TRY_AGAIN:
        return unavailable(party, f"answered {status}")
    said = body if isinstance(body, dict) else {}
    code = said["code"] if is_code(said.get("code")) else f"{party}_refused"
    message = str(said.get("message") or f"the {_called(party)} answered {status}")
    return Failure(code, message[:_LONGEST_MESSAGE])


def unavailable(party: str, what: str) -> Failure:
    """The party cannot be asked now: it may be later."""
    return Failure(f"{party}_unavailable", f"the {_called(party)} {what}", retriable=True)


def _called(party: str) -> str:
    return {"tax": "tax office"}.get(party, party)


def address_of(party: str) -> str:
    """The address in the setting `<PARTY>_URL`. Raises Failure `not_configured`."""
    setting = f"{party.upper()}_URL"
    if address := os.environ.get(setting):
        return address.rstrip("/")
    raise Failure("not_configured", f"the setting {setting} is missing: set it to an address")


def _session() -> aiohttp.ClientSession:
    """The session of this event loop: connections are kept, but cannot change loops."""
    loop = asyncio.get_running_loop()
    if loop not in _sessions or _sessions[loop].closed:
        _sessions[loop] = aiohttp.ClientSession()
    return _sessions[loop]
