"""The body of a request: its bytes, its text, and the JSON in it as the host reads it."""

import asyncio
import json
from typing import Any, Final

from aiohttp import web

from durablehost.hub.history import as_stored
from durablehost.web.dotnet_json import value_of_dotnet_json

_PATIENCE: Final = 30.0  # seconds without a byte; then the caller is taken to have gone
_DEEPEST: Final = 64  # what Newtonsoft.Json reads, and so the durable extension


class NestsTooDeep(ValueError):
    """JSON that nests so deep that writing it again would exceed Python's stack."""


async def read_body(request: web.BaseRequest, limit: int, *, patience: float = _PATIENCE) -> bytes:
    """The whole body. Raises the error to answer with if it is too large or incomplete."""
    if (request.content_length or 0) > limit:
        raise web.HTTPRequestEntityTooLarge(limit, request.content_length or 0)
    body = bytearray()
    try:
        while chunk := await _next_chunk(request, patience):
            body += chunk
            if len(body) > limit:
                raise web.HTTPRequestEntityTooLarge(limit, len(body))
    except web.RequestPayloadError as error:
        raise web.HTTPBadRequest from error
    except TimeoutError as error:
        raise web.HTTPRequestTimeout from error
    return bytes(body)


async def _next_chunk(request: web.BaseRequest, patience: float) -> bytes:
    async with asyncio.timeout(patience):
        return await request.content.readany()


async def read_text(request: web.BaseRequest, limit: int) -> str:
    """The body as text. Raises ValueError if it is not valid in its charset."""
    body = await read_body(request, limit)
    try:
        text = body.decode(request.charset or "utf-8").removeprefix("\ufeff")
    except LookupError as error:
        raise ValueError(f"no such charset: {request.charset}") from error
    return as_stored(text)


def read_json(text: str) -> Any:
    """The value of a text, as .NET reads it. Raises ValueError, for example NestsTooDeep.

    `NaN` and `Infinity` become strings, as they do when .NET writes them again.
    """
    try:
        value = json.loads(text, parse_float=_finite, parse_constant=str)
    except RecursionError as error:
        raise NestsTooDeep from error
    except ValueError:
        value = value_of_dotnet_json(text, parse_float=_finite)
    if _depth_exceeds(value, _DEEPEST):
        raise NestsTooDeep
    return value


def _depth_exceeds(value: Any, limit: int) -> bool:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(limit):
        if not level:
            return False
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
    return bool(level)


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{digits} is too large")
    return number
