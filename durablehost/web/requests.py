"""The request that a function receives, as the host passes it to the Python worker."""

import logging
import re

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from azure.functions.http import HttpRequest

from durablehost.web.bodies import read_body
from durablehost.web.paths import decoded_path, encoded_path, query_parameters, split_target

log = logging.getLogger(__name__)

_HOST = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")


@web.middleware
async def only_text(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 400, as Kestrel does, if target or a header is not UTF-8, or Host is not a host.

    What is let in here can be written into URLs, headers and the hub.
    """
    texts = (request.raw_path, *request.headers.values())
    if _HOST.fullmatch(request.headers.get(hdrs.HOST, "")) and all(map(_is_text, texts)):
        return await handler(request)
    return web.Response(status=400)


def _is_text(text: str) -> bool:
    """Whether a text has no character that replaces an invalid byte."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def origin_of(request: web.BaseRequest) -> str:
    """Scheme, host and port in the caller's request."""
    return f"{request.scheme}://{request.headers.get(hdrs.HOST, '')}"


async def read_request(
    request: web.BaseRequest, route_params: dict[str, str], body_limit: int
) -> HttpRequest:
    """Raises the error to answer with if the body is too large or incomplete."""
    path, query = split_target(request.raw_path)
    return HttpRequest(
        method=request.method,
        url=origin_of(request) + encoded_path(decoded_path(path)) + query,
        headers=_headers(request),
        params=query_parameters(query),
        route_params=route_params,
        body_type="bytes",
        body=await _body(request, body_limit),
    )


def _headers(request: web.BaseRequest) -> dict[str, str]:
    """The headers by lower-case name. Commas join repeated ones."""
    joined: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        joined.setdefault(name.lower(), []).append(value)
    return {name: ",".join(filter(None, values)) for name, values in joined.items()}


async def _body(request: web.BaseRequest, limit: int) -> bytes:
    if hdrs.CONTENT_LENGTH not in request.headers:
        if request.can_read_body:
            log.warning(
                "%s %s: the body came in chunks, without a Content-Length. Like the real host "
                "durablehost gives the function an empty body; send a Content-Length.",
                request.method,
                split_target(request.raw_path)[0],
            )
        return b""
    return await read_body(request, limit)
