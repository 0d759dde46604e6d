"""Serves an app's HTTP functions and admin pages on a free port, for tests."""

import importlib.util
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, TCPConnector, web
from aiohttp.test_utils import TestServer
from azure.functions.decorators.function_app import FunctionRegister
from multidict import CIMultiDictProxy
from yarl import URL

from durablehost.app.functions import Function, FunctionTable
from durablehost.app.loading import index_app
from durablehost.calling.invoker import Invoker
from durablehost.dashboard.hub_source import HubSource
from durablehost.dashboard.serving import Dashboard
from durablehost.hub.clock import ManualClock
from durablehost.settings import Settings
from durablehost.store import MEMORY, SqliteBackend
from durablehost.web.admin import Admin
from durablehost.web.auth import Keys
from durablehost.web.cors import cors
from durablehost.web.http_functions import HttpFunctions
from durablehost.web.statuses import errors_as_status
from durablehost.web.urls import client_payload

RECORDED_APP = Path(__file__).parents[2] / "conformance" / "http"
KEYS = Keys(master="the-master", function="the-function", durable="the-durable", enforced=True)


class Caller:
    """Calls a served app; paths are sent as they are written."""

    def __init__(self, session: ClientSession, origin: str) -> None:
        self._session = session
        self.origin = origin

    async def __call__(self, method: str, path: str, **request: Any) -> "Answer":
        url = URL(self.origin + path, encoded=True)
        async with self._session.request(method, url, allow_redirects=False, **request) as answer:
            return Answer(answer.status, answer.headers, await answer.read())


class Answer:
    def __init__(self, status: int, headers: CIMultiDictProxy[str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self) -> str:
        return self.body.decode()


class Ran:
    """The functions that were run from the admin pages."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    async def __call__(self, function: Function, text: str) -> None:
        self.calls.append((function.name, text))


@asynccontextmanager
async def serving(
    app: FunctionRegister | FunctionTable,
    settings: Settings | None = None,
    keys: Keys | None = None,
    run_now: Any = None,
    problems: Any = None,
) -> AsyncIterator[Caller]:
    """Serve an app as durablehost's public front does, without its webhooks."""
    settings, keys = settings or Settings(hub_name="TestHub"), keys or Keys()
    table = app if isinstance(app, FunctionTable) else index_app(app)
    table = table.with_disabled(settings.disabled)
    invoker = Invoker(threads=2, own_loop=False)
    payloads = _payloads(settings, keys)
    functions = HttpFunctions(table, settings, invoker, payloads, keys)
    backend, clock = SqliteBackend(MEMORY), ManualClock()
    source = HubSource(backend, table, invoker.orchestrate, clock, {"hub": settings.hub_name})
    dashboard = Dashboard(source, keys)
    admin = Admin(table, settings, keys, run_now or Ran(), problems or (lambda _: []), dashboard)

    async def dispatch(request: web.Request) -> web.StreamResponse:
        if request.raw_path.lower().startswith("/admin/"):
            return await admin.handle(request)
        return await functions.handle(request, otherwise=admin.home)

    front = web.Application(middlewares=[cors(settings), errors_as_status])
    front.router.add_route("*", "/{path:.*}", dispatch)
    connector = TCPConnector(limit=0)
    async with TestServer(front) as server, ClientSession(connector=connector) as session:
        yield Caller(session, str(server.make_url("")).rstrip("/"))
        await admin.close()
        await invoker.close()
        backend.close()


def _payloads(settings: Settings, keys: Keys) -> Any:
    def payload(origin: str, binding: Mapping[str, Any]) -> str:
        rpc = "http://127.0.0.1:1/durabletask/"
        hub, connection = settings.hub_name, settings.connection_name
        return client_payload(origin, rpc, hub, connection, keys.durable, binding)

    return payload


def load_module(path: Path, name: str) -> Any:
    """The module in a file, under a name of its own."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
