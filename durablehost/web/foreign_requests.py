"""Refuses requests that pages of other sites send, by a developer's browser, to manage this host.

No key is needed on a developer's machine. Without this, any page that is open in the browser could
start and terminate instances, and by a name that it has bound to 127.0.0.1 also read them.
"""

import ipaddress
import logging
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from durablehost.settings import Settings
from durablehost.web.cors import allowed_origin
from durablehost.web.paths import split_target

log = logging.getLogger(__name__)

_SITE: Final = "Sec-Fetch-Site"  # what a browser says of the page that asks
_MODE: Final = "Sec-Fetch-Mode"


class ForeignRequests:
    """Recognizes requests that come from pages of other sites."""

    def __init__(self, settings: Settings, names: Collection[str] | None) -> None:
        """`names` are the names of this host besides those of the loopback. None allows all."""
        self._settings = settings
        self._names = None if names is None else frozenset(name.lower() for name in names)

    def refuse(self, request: web.Request) -> None:
        """Raises HTTPMisdirectedRequest for the name of another host, HTTPForbidden for a page."""
        host = request.headers.get(hdrs.HOST, "")
        if self._names is not None and not self._is_own_name(_name_of(host)):
            self._log(request, f"its Host is {host}. Set WEBSITE_HOSTNAME if that is right")
            raise web.HTTPMisdirectedRequest
        if page := self._foreign_page(request, host):
            self._log(request, f"{page} asked for it. Host.CORS can allow an origin")
            raise web.HTTPForbidden

    def _is_own_name(self, name: str) -> bool:
        return is_loopback(name) or name in (self._names or ())

    def _foreign_page(self, request: web.Request, host: str) -> str:
        """The page of another site that sends a request; empty if there is none."""
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None:
            is_own = urlsplit(origin).netloc.lower() == host.lower()
            return "" if is_own or allowed_origin(self._settings, origin) else f"a page of {origin}"
        # Whoever follows a link sees the answer, and the page with the link does not.
        follows = request.method == hdrs.METH_GET and request.headers.get(_MODE) == "navigate"
        is_foreign = request.headers.get(_SITE) == "cross-site" and not follows
        return "a page of another site" if is_foreign else ""

    @staticmethod
    def _log(request: web.Request, why: str) -> None:
        path = split_target(request.raw_path)[0]  # without the key
        log.warning("Refused %s %s: %s.", request.method, path, why)


def is_loopback(name: str) -> bool:
    """Whether a name or an address always means this machine."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _name_of(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
