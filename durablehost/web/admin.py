"""The host's own pages: `/`, its status, its functions, and running one of them now."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any, Final, Protocol
from urllib.parse import unquote

from aiohttp import web

from durablehost.app.functions import Function, FunctionTable
from durablehost.settings import Settings
from durablehost.web.auth import Keys
from durablehost.web.bodies import read_body
from durablehost.web.paths import first_parameter, split_target
from durablehost.web.requests import origin_of
from durablehost.web.routes import route_of

log = logging.getLogger(__name__)

HOST_VERSION = "4.1037.0.0"  # the host whose behaviour was recorded
EXTENSION_VERSION = "3.19.0"  # and its Durable Functions extension

RunNow = Callable[[Function, str], Awaitable[None]]
Problems = Callable[[str | None], list[dict[str, Any]]]

_DASHBOARD: Final = "/admin/durablehost/dashboard/"
_RUNNABLE = ("timer", "queue", "blob", "other")
_INPUT_LIMIT = 1_048_576


class Pages(Protocol):
    """The dashboard."""

    def page(self) -> web.Response: ...
    async def handle(self, request: web.Request, path: str) -> web.StreamResponse: ...


class Admin:
    """The pages below `/admin`. They need the master key if keys are required."""

    def __init__(
        self,
        table: FunctionTable,
        settings: Settings,
        keys: Keys,
        run_now: RunNow,
        problems: Problems,
        dashboard: Pages,
    ) -> None:
        """`run_now` runs a timer, queue or blob function on an input; `problems` lists the
        problems of one instance or of all."""
        self._functions = {function.name.lower(): function for function in table.functions}
        self._table = table
        self._settings = settings
        self._keys = keys
        self._run_now = run_now
        self._problems = problems
        self._dashboard = dashboard
        self._started = time.monotonic()
        self._running: set[asyncio.Task[None]] = set()

    async def home(self, request: web.Request) -> web.Response:
        """Return the page at `/`, and 404 for any other path."""
        if split_target(request.raw_path)[0] != "/":
            return web.Response(status=404)
        if not self._settings.homepage:
            return web.Response(status=204)
        return self._dashboard.page()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request below `/admin`. Unknown pages and other methods return 404."""
        path = split_target(request.raw_path)[0]
        if path.startswith(_DASHBOARD):
            return await self._dashboard.handle(request, path.removeprefix(_DASHBOARD))
        raw = split_target(request.raw_path)[0].removesuffix("/")
        segments = [unquote(segment) for segment in raw.split("/")[2:]]
        words = tuple(segment.lower() for segment in segments)
        # The real host answers a ping to anybody.
        if words == ("host", "ping") and request.method in ("GET", "POST"):
            return web.Response()
        handler = self._handler(request.method, words)
        if handler is None:
            return web.Response(status=404)
        if not self._keys.open("admin", request):
            return web.Response(status=401)
        return await handler(request, words)

    def _handler(
        self, method: str, words: tuple[str, ...]
    ) -> Callable[[web.Request, tuple[str, ...]], Awaitable[web.Response]] | None:
        match method, words:
            case "GET", ("host", "status"):
                return self._host_status
            case "GET", ("functions",):
                return self._list
            case "GET", ("functions", _):
                return self._one
            case "POST", ("functions", _):
                return self._run
            case "GET", ("functions", _, "status"):
                return self._function_status
            case "GET", ("durablehost", "problems"):
                return self._list_problems
        return None

    async def _host_status(self, _: web.Request, words: tuple[str, ...]) -> web.Response:
        status = {
            "id": self._settings.hub_name.lower(),
            "state": "Running",
            "version": HOST_VERSION,
            "versionDetails": f"durablehost {version('durablehost')}",
            "processUptime": round(1000 * (time.monotonic() - self._started)),
            "functionAppContentEditingState": "Unknown",
        }
        bundle = self._settings.raw.get("extensionBundle")
        return _json(status | ({"extensionBundle": bundle} if bundle else {}))

    async def _list(self, request: web.Request, words: tuple[str, ...]) -> web.Response:
        functions = sorted(self._functions.items())
        return _json([self._described(function, request) for _, function in functions])

    async def _one(self, request: web.Request, words: tuple[str, ...]) -> web.Response:
        function = self._functions.get(words[1])
        return _json(self._described(function, request)) if function else web.Response(status=404)

    async def _function_status(self, _: web.Request, words: tuple[str, ...]) -> web.Response:
        errors = [o.says for o in self._table.left_out if o.name.lower() == words[1]]
        if errors:
            return _json({"errors": errors})
        return _json({}) if words[1] in self._functions else web.Response(status=404)

    async def _list_problems(self, request: web.Request, words: tuple[str, ...]) -> web.Response:
        instance_id = first_parameter(split_target(request.raw_path)[1], "instanceid")
        return _json(self._problems(instance_id or None))

    async def _run(self, request: web.Request, words: tuple[str, ...]) -> web.Response:
        if request.can_read_body and not _is_json(request):
            return web.Response(status=415)
        text = await _input_of(request)
        if text is None:
            return web.Response(status=400)
        function = self._functions.get(words[1])
        if function is None:
            return web.Response(status=404)
        task = asyncio.create_task(self._run_to_its_end(function, text))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return web.Response(status=202)

    async def _run_to_its_end(self, function: Function, text: str) -> None:
        if function.kind not in _RUNNABLE:
            log.warning(
                "%s cannot be run from /admin/functions: its trigger is %s. "
                "Timer, queue and blob functions can.",
                function.name,
                function.trigger["type"],
            )
            return
        try:
            await self._run_now(function, text)
        except Exception:  # the top of this piece of work; its caller was answered long ago
            log.exception("%s failed, run from /admin/functions", function.name)

    async def close(self) -> None:
        """Cancel the functions that were started here and still run."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _described(self, function: Function, request: web.Request) -> dict[str, Any]:
        origin = origin_of(request)
        script = function.place.file.rsplit("/", 1)[-1]
        invoke = f"{origin}/{route_of(function, self._settings.route_prefix)}".lower()
        return {
            "name": function.name,
            "script_root_path_href": None,
            "script_href": f"{origin}/admin/vfs/{script}",
            "config_href": None,
            "test_data_href": None,
            "href": f"{origin}/admin/functions/{function.name}",
            "invoke_url_template": invoke if function.kind == "http" else None,
            "language": "python",
            "config": {
                "name": function.name,
                "scriptFile": script,
                "language": "python",
                "bindings": [dict(binding) for binding in function.bindings],
            },
            "files": None,
            "test_data": None,
            "isDisabled": function.is_disabled,
            "isDirect": False,
            "isProxy": False,
        }


def _json(value: object) -> web.Response:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return web.Response(text=text, content_type="application/json")


def _is_json(request: web.Request) -> bool:
    kind = request.content_type.lower()
    return kind in ("application/json", "text/json") or kind.endswith("+json")


async def _input_of(request: web.Request) -> str | None:
    """The input for a function, or None if the body has none."""
    body = await read_body(request, _INPUT_LIMIT)
    try:
        content = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    given = next((v for name, v in content.items() if name.lower() == "input"), None)
    if isinstance(given, (dict, list)):
        return None
    if given is None or isinstance(given, str):
        return given or ""
    return json.dumps(given)
