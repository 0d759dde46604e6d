"""HTTP to the parties outside: what they refuse and what fails become Failures with a code."""

import asyncio
import os
from datetime import timedelta
from typing import Any, Final

import aiohttp

from orchestration.failures import Failure, is_code

TIMEOUT: Final = timedelta(seconds=20)

_KEY_HEADER: Final = "Idempotency-Key"
_TRY_AGAIN: Final = frozenset({408, 425, 429})
_LONGEST_MESSAGE: Final = 300

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
    within: timedelta = TIMEOUT,
) -> Any:
    """Send a request to a party, whose address is in the setting `<PARTY>_URL`; return its JSON.

    A refusal (4xx) raises a Failure with the party's own code. No answer, 5xx and junk raise one
    that is worth another attempt: asked again with the same `key`, a party does a thing once.
    """
    url = _address(party) + path
    headers = {_KEY_HEADER: key} if key else {}
    limit = aiohttp.ClientTimeout(total=within.total_seconds())
    try:
        async with _session().request(
            method, url, json=json, data=data, params=query, headers=headers, timeout=limit
        ) as answer:
            return _result(party, answer.status, await answer.json(content_type=None))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:  # ValueError: it is no JSON
        raise _unavailable(party, "gave no answer that can be read") from error


async def close() -> None:
    """Close the connections of this event loop; whoever ends a loop does it before."""
    session = _sessions.pop(asyncio.get_running_loop(), None)
    if session is not None:
        await session.close()


def _result(party: str, status: int, body: Any) -> Any:
    if status < 400:
        return body
    if status >= 500 or status in _TRY_AGAIN:
        raise _unavailable(party, f"answered {status}")
    said = body if isinstance(body, dict) else {}
    code = said["code"] if is_code(said.get("code")) else f"{party}_refused"
    message = str(said.get("message") or f"the {party} answered {status}")
    raise Failure(code, message[:_LONGEST_MESSAGE])


def _unavailable(party: str, what: str) -> Failure:
    return Failure(f"{party}_unavailable", f"the {party} {what}", retriable=True)


def _address(party: str) -> str:
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
