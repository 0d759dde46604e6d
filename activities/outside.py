"""HTTP requests to other systems. A refusal or an outage becomes a Failure with a code."""

import asyncio
import io
import json as json_text
import os
from datetime import timedelta
from typing import Any, Final

import aiohttp
from opentelemetry.propagate import inject
from opentelemetry.trace import SpanKind, get_tracer

from activities import limits
from orchestration.failures import Failure, is_code

TIMEOUT: Final = timedelta(seconds=20)

_KEY_HEADER: Final = "Idempotency-Key"
_TRY_AGAIN: Final = frozenset({408, 425, 429})
_LONGEST_MESSAGE: Final = limits.MESSAGE_CHARS.most
_CHUNK: Final = 64 * 1024  # bytes

_tracer = get_tracer(__name__)
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
    """Send a request to the address in the setting `<PARTY>_URL`; return the JSON of the answer.

    A refusal (4xx) raises a Failure with the code in the answer. No answer, 5xx and an answer that
    is not JSON raise a retriable Failure: the other system does the work of one `key` once.
    Redirects are not followed, because a key or a token must not reach another host.
    """
    url = address_of(party) + path
    headers = {_KEY_HEADER: key} if key else {}
    headers |= {"Authorization": f"Bearer {bearer}"} if bearer else {}
    limit = aiohttp.ClientTimeout(total=within.total_seconds())
    content = None if data is None else io.BytesIO(data)  # bytes would be sent in one piece
    try:
        with _tracer.start_as_current_span(f"{method} {party}", kind=SpanKind.CLIENT):
            inject(headers)  # the other system goes on with the trace of this activity
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
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:  # ValueError: not JSON
        raise unavailable(party, "gave no valid answer") from error
    if answer.status >= 400:
        raise refusal_of(party, answer.status, body)
    return body


async def _content_of(answer: aiohttp.ClientResponse, party: str) -> bytes:
    """The body of an answer. Raises Failure `answer_too_large` if it is over the limit."""
    content, most = bytearray(), limits.ANSWER_BYTES.most
    async for chunk in answer.content.iter_chunked(_CHUNK):
        content += chunk
        if len(content) > most:
            message = f"the {_name_of(party)} sent an answer of over {most} bytes"
            raise Failure("answer_too_large", message)
    return bytes(content)


async def close() -> None:
    """Close the connections of this event loop. Call it before the loop ends."""
    session = _sessions.pop(asyncio.get_running_loop(), None)
    if session is not None:
        await session.close()


def refusal_of(party: str, status: int, body: Any) -> Failure:
    """The Failure that a status from 400 on means: retriable, or with the code in the answer."""
    if status >= 500 or status in _TRY_AGAIN:
        return unavailable(party, f"answered {status}")
    answer = body if isinstance(body, dict) else {}
    code = answer["code"] if is_code(answer.get("code")) else f"{party}_refused"
    message = str(answer.get("message") or f"the {_name_of(party)} answered {status}")
    return Failure(code, message[:_LONGEST_MESSAGE])


def unavailable(party: str, what: str) -> Failure:
    """The Failure of a system that does not answer now, but may answer later."""
    return Failure(f"{party}_unavailable", f"the {_name_of(party)} {what}", retriable=True)


def _misdirected(party: str) -> Failure:
    message = (
        f"the {_name_of(party)} redirects to another address: see what {party.upper()}_URL says"
    )
    return Failure(f"{party}_misdirected", message)


def _name_of(party: str) -> str:
    return {"tax": "tax office"}.get(party, party)


def address_of(party: str) -> str:
    """The address in the setting `<PARTY>_URL`. Raises Failure `not_configured`."""
    setting = f"{party.upper()}_URL"
    if address := os.environ.get(setting):
        return address.rstrip("/")
    raise Failure("not_configured", f"the setting {setting} is missing: set it to an address")


def _session() -> aiohttp.ClientSession:
    """The session of this event loop. It keeps connections, which cannot change loops."""
    loop = asyncio.get_running_loop()
    if loop not in _sessions or _sessions[loop].closed:
        _sessions[loop] = aiohttp.ClientSession()
    return _sessions[loop]
