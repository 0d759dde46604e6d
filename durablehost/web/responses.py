"""Makes the HTTP response from what a function returned, as the host does."""

import logging
import re
from datetime import UTC
from email.utils import format_datetime, parsedate_to_datetime
from http.cookies import Morsel
from urllib.parse import quote

import azure.functions as func
from aiohttp import HttpVersion, HttpVersion11, web
from azure.functions.http import HttpResponseConverter
from multidict import CIMultiDict

from durablehost.errors import FunctionFailed

log = logging.getLogger(__name__)

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_BODILESS = (204, 205, 304)
# The server computes these.
_COMPUTED = ("content-length", "transfer-encoding")


def response_of(name: str, answer: func.HttpResponse, version: HttpVersion) -> web.Response:
    """The response to a request of this HTTP version; FunctionFailed if the host cannot send it.

    As on the real host a body travels in chunks, without a `Content-Length`, unless the function
    set that header itself.
    """
    try:
        parts = HttpResponseConverter.encode(answer, expected_type=None).value
    except Exception as error:  # the function's own response object, and what it put into it
        raise FunctionFailed(type(error).__name__, str(error), "") from error
    status = _status(parts["status_code"].value)
    given = {header.lower() for header in parts["headers"]}
    headers: CIMultiDict[str] = CIMultiDict()
    for header, datum in parts["headers"].items():
        if header not in headers and header.lower() not in _COMPUTED:
            headers[_checked(header, _NAME)] = _checked(str(datum.value), _VALUE)
    for cookie in parts["cookies"] or ():
        if not cookie:
            log.warning("%s: a Set-Cookie header cannot be read as a cookie and is lost", name)
        for morsel in cookie.values():
            headers.add("Set-Cookie", _checked(_cookie(morsel), _VALUE))
    body = parts["body"].value
    if body and status in _BODILESS:
        log.warning("%s: a response with status %d has no body, its body is lost", name, status)
        body = b""
    response = web.Response(status=status, headers=headers, body=body)
    if body and version >= HttpVersion11 and "content-length" not in given:
        response.enable_chunked_encoding()
    return response


def _status(text: str) -> int:
    """The status, or 200 if it is not a number, as in the host."""
    status = int(text) if re.fullmatch(r"\s*[-+]?[0-9]{1,9}\s*", text) else 200
    if not 200 <= status <= 999:
        raise FunctionFailed("InvalidOperationException", f"{status} is no final HTTP status", "")
    return status


def _checked(text: str, form: re.Pattern[str]) -> str:
    if not form.fullmatch(text):
        words = f"Invalid non-ASCII or control character in header: {text!r}"
        raise FunctionFailed("InvalidOperationException", words, "")
    return text


def _cookie(morsel: "Morsel[str]") -> str:
    """A cookie as ASP.NET writes it, with an escaped value and its order of attributes.

    A domain or path that the function did not set is empty there, not absent.
    """
    out = [f"{morsel.key}={quote(morsel.value, safe='~')}"]
    if morsel["expires"]:
        out.append(f"expires={_expires(morsel['expires'])}")
    if morsel["max-age"]:
        out.append(f"max-age={_seconds(morsel['max-age'])}")
    out += [f"{name}={morsel[name]}" for name in ("domain", "path")]
    if morsel["secure"]:
        out.append("secure")
    if morsel["samesite"].lower() in ("lax", "strict", "none"):
        out.append(f"samesite={morsel['samesite'].lower()}")
    if morsel["httponly"]:
        out.append("httponly")
    return "; ".join(out)


def _seconds(text: str) -> int:
    try:
        return int(float(text))
    except (ValueError, OverflowError) as error:
        words = f"Cannot parse value {text} of 'cookie.maxAge' to float."
        raise FunctionFailed("TypeError", words, "") from error


def _expires(text: str) -> str:
    try:
        moment = parsedate_to_datetime(text)  # in GMT; Python's cookies take no other zone
    except (ValueError, OverflowError) as error:
        raise FunctionFailed("ParserError", f"Unknown string format: {text}", "") from error
    return format_datetime(moment.replace(tzinfo=UTC), usegmt=True)
