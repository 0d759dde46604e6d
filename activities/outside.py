"""HTTP to the parties outside: what they refuse and what fails become Failures with a code."""

import asyncio
import io
import json as json_text
import os
from datetime import timedelta
from typing import Any, Final

import aiohttp

from activities import limits
from orchestration.failures import Failure, is_code

TIMEOUT: Final = timedelta(seconds=20)

_KEY_HEADER: Final = "Idempotency-Key"
_TRY_AGAIN: Final = frozenset({408, 425, 429})
_LONGEST_MESSAGE: Final = limits.MESSAGE_CHARS.most
_CHUNK: Final = 64 * 1024  # bytes

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

    A refusal (4xx) raises a Failure with the party's own code. No answer, 5xx and an answer that is
    no JSON raise a Failure that is worth another attempt: a party does the work of one `key` once.
    Redirects are not followed, because a key or a token must not reach another host.
    """
    url = address_of(party) + path
    headers = {_KEY_HEADER: key} if key else {}
    headers |= {"Authorization": f"Bearer {bearer}"} if bearer else {}
    limit = aiohttp.ClientTimeout(total=within.total_seconds())
    content = None if data is None else io.BytesIO(data)  # bytes would be sent in one piece
    try:
        async with _session().request(
            method,
            url,
            json=json,
            data=content,
            params=query,
            headers=headers,
            timeout=limit,
            allow_redirects=False,
        ) as answer:
            if 300 <= answer.status < 400:
                raise _misdirected(party)
            body = json_text.loads(await _content_of(answer, party) or "null")
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:  # ValueError: it is no JSON
        raise unavailable(party, "gave no answer that can be read") from error
    if answer.status >= 400:
        raise refusal_of(party, answer.status, body)
    return body


async def _content_of(answer: aiohttp.ClientResponse, party: str) -> bytes:
    """The body of an answer. Raises Failure `answer_too_large` once it is over the limit."""
    content, most = bytearray(), limits.ANSWER_BYTES.most
    async for chunk in answer.content.iter_chunked(_CHUNK):
        content += chunk
        if len(content) > most:
            message = f"the {_called(party)} sent an answer of over {most} bytes"
            raise Failure("answer_too_large", message)
    return bytes(content)


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


def _misdirected(party: str) -> Failure:
    called = _called(party)
    message = f"the {called} redirects to another address: see what {party.upper()}_URL says"
    return Failure(f"{party}_misdirected", message)


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
