"""Serves the dashboard: its page, the files of the page, and the answers that it asks for.

The page and its files contain nothing of the app, so they need no key. All answers need the
master key where keys are asked for.
"""

import base64
import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from aiohttp import hdrs, web

from durablehost.dashboard.source import Source
from durablehost.hub.backend import Search
from durablehost.web.auth import Keys
from durablehost.web.paths import query_parameters, split_target

_STATIC: Final = files(__package__) / "static"
ROOT: Final = "/admin/durablehost/dashboard/"
_TYPES: Final = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
    "html": "text/html",
}
_FILE: Final = re.compile(r"(?:vendor/)?[a-z_]+\.(?:css|js|svg)")
_INLINE: Final = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
_SECONDS: Final = re.compile(r"\d{1,9}(?:\.\d{1,6})?")
_COUNT: Final = re.compile(r"\d{1,15}")


class Dashboard:
    """Answers requests for the page, and below `/admin/durablehost/dashboard/`."""

    def __init__(self, source: Source, keys: Keys) -> None:
        self._source = source
        self._keys = keys

    def page(self) -> web.Response:
        """The page itself."""
        return _file("index.html")

    async def handle(self, request: web.Request, path: str) -> web.StreamResponse:
        """Answer a GET of the path, which is what follows the folder of the dashboard."""
        if request.method == hdrs.METH_POST and path == "api/clock":
            return await self._move_clock(request)
        if request.method != hdrs.METH_GET:
            return web.Response(status=404)
        if not path:
            return self.page()
        if _FILE.fullmatch(path):
            return _file(path)
        answer = self._answers().get(path)
        if answer is None:
            return web.Response(status=404)
        if not self._keys.open("admin", request):
            return web.Response(status=401)
        # A tag is the version of the hub and a digest of the answer, which often is the same
        # as before when something else in the hub has changed.
        version = self._source.version()
        sent = request.headers.get(hdrs.IF_NONE_MATCH, "")
        known, _, known_digest = sent.strip('"').partition("-")
        if version and known == version:
            return web.Response(status=304, headers={hdrs.ETAG: sent})
        found = await answer(query_parameters(split_target(request.raw_path)[1]))
        body = json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")
        digest = hashlib.blake2b(body, digest_size=8).hexdigest()
        headers = {hdrs.CACHE_CONTROL: "no-store"}
        if version:
            headers[hdrs.ETAG] = f'"{version}-{digest}"'
            if digest == known_digest:
                return web.Response(status=304, headers=headers)
        return web.Response(
            body=body, content_type="application/json", charset="utf-8", headers=headers
        )

    async def _move_clock(self, request: web.Request) -> web.Response:
        if not self._keys.open("admin", request):
            return web.Response(status=401)
        seconds = query_parameters(split_target(request.raw_path)[1]).get("seconds", "")
        if not _SECONDS.fullmatch(seconds):
            return web.Response(status=400)
        moved = await self._source.move_clock(timedelta(seconds=float(seconds)))
        return web.Response(status=202 if moved else 404)

    def _answers(self) -> dict[str, Callable[[dict[str, str]], Awaitable[Any]]]:
        source = self._source
        return {
            "api/about": lambda _: source.about(),
            "api/instances": lambda query: source.instances(_search(query)),
            "api/instance": lambda query: source.instance(query.get("id", "")),
            "api/replay": lambda query: source.replay(query.get("id", "")),
            "api/entities": lambda _: source.entities(),
            "api/problems": lambda _: source.problems(),
            "api/functions": lambda _: source.functions(),
        }


def _search(query: dict[str, str]) -> Search:
    before = query.get("before", "")
    return Search(
        name=query.get("name", ""),
        statuses=frozenset(filter(None, query.get("status", "").split(","))),
        prefix=query.get("prefix", ""),
        created_from=_time(query.get("from", "")),
        created_to=_time(query.get("to", "")),
        text=query.get("text", ""),
        before=int(before) if _COUNT.fullmatch(before) else None,
    )


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _file(path: str) -> web.Response:
    content = _STATIC.joinpath(path)
    if not content.is_file():
        return web.Response(status=404)
    headers = {
        "Content-Security-Policy": _policy(),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        hdrs.CACHE_CONTROL: "no-cache",
    }
    return web.Response(
        body=content.read_bytes(),
        content_type=_TYPES[path.rpartition(".")[2]],
        charset="utf-8",
        headers=headers,
    )


@lru_cache(maxsize=1)
def _policy() -> str:
    """Allow the files of the dashboard, and the one script that stands in the page."""
    page = _STATIC.joinpath("index.html").read_text("utf-8")
    scripts = [script for script in _INLINE.findall(page) if script]
    hashes = [hashlib.sha256(script.encode()).digest() for script in scripts]
    allowed = " ".join(f"'sha256-{base64.b64encode(one).decode()}'" for one in hashes)
    return (
        f"default-src 'none'; script-src 'self' {allowed}; style-src 'self'; img-src 'self';"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
