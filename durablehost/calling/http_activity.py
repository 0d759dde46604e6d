"""`context.call_http`: the activity that the host itself runs."""

import json
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from multidict import MultiMapping

from durablehost.calling.invocation_context import trace_headers
from durablehost.hub.history import compact

# In .NET these belong to the content and are not among the headers of an answer.
_CONTENT_HEADERS = frozenset(
    {
        "allow",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-location",
        "content-md5",
        "content-range",
        "content-type",
        "expires",
        "last-modified",
    }
)


class HttpCaller:
    """Sends the requests of `call_http`. Does not poll after a 202."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, request_text: str) -> str:
        """Send a request. Returns the answer as JSON text; raises OSError if there is none."""
        request = json.loads(request_text)
        if resource := (request.get("tokenSource") or {}).get("resource"):
            # Without its token the request would fail for a reason that is hard to find.
            raise OSError(f"no managed identity here to get a token for '{resource}' from")
        headers = trace_headers() | (request.get("headers") or {})
        content = request.get("content")
        if content is not None and not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = "text/plain"
        if self._session is None:
            self._session = _new_session()
        data = None if content is None else content.encode()
        try:
            async with self._session.request(
                request["method"],
                request["uri"],
                data=data,
                headers=headers,
                proxy=proxy_for(request["uri"]),
            ) as response:
                text = await response.text(errors="replace")
                return compact(
                    {
                        "statusCode": response.status,
                        "headers": visible_headers(response.headers),
                        "content": text,
                    }
                )
        except aiohttp.ClientConnectorError as error:
            words = error.os_error.strerror or str(error.os_error)
            if isinstance(error.os_error, ConnectionRefusedError):
                words = "Connection refused"
            raise OSError(f"{words} ({error.host}:{error.port})") from None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise OSError(f"{type(error).__name__}: {error}") from None

    async def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _new_session() -> aiohttp.ClientSession:
    """A session like the host's: it adds no headers, keeps no cookies, decompresses nothing."""
    return aiohttp.ClientSession(
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )


def proxy_for(url: str) -> str | None:
    """The proxy that `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` name; none for this machine."""
    address = urlsplit(url)
    host = address.hostname or ""
    if host in ("localhost", "127.0.0.1", "::1") or proxy_bypass(address.netloc):
        return None
    return getproxies().get(address.scheme)


def visible_headers(headers: MultiMapping[str]) -> dict[str, str | list[str]]:
    """The headers of an answer that the host shows to the SDK."""
    visible: dict[str, str | list[str]] = {}
    for name in dict.fromkeys(headers):
        if name.lower() not in _CONTENT_HEADERS:
            values = headers.getall(name)
            visible[name] = values[0] if len(values) == 1 else values
    return visible
