"""HTTP in this process: the app's routes need no port, its durable clients get one.

A test's connection to the app is a pair of sockets. The endpoint of the durable clients listens on
the loopback interface as well, because an app may call the `rpcBaseUrl` of its binding by itself.
"""

import asyncio
import io
import json
import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp import web
from aiohttp.client_proto import ResponseHandler
from multidict import CIMultiDictProxy

from durablehost import sdk_patches
from durablehost.app.functions import FunctionTable
from durablehost.calling.invoker import Invoker
from durablehost.hub.client import HubClient
from durablehost.settings import Settings
from durablehost.web.app import RPC, public_app, rpc_app
from durablehost.web.auth import Keys
from durablehost.web.http_functions import HttpFunctions
from durablehost.web.management import Management, Saved
from durablehost.web.urls import client_payload

ORIGIN: Final = "http://localhost:7071"  # as the app sees it; nothing listens there
_ONE_PIECE: Final = 2**20  # bytes


@dataclass(frozen=True)
class Answer:
    """The answer to a request."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class Front:
    """The HTTP functions of an app, and the endpoint that its durable clients speak to."""

    def __init__(
        self,
        table: FunctionTable,
        settings: Settings,
        client: HubClient,
        saved: Saved,
        invoker: Invoker,
        keys: Keys,
    ) -> None:
        self._settings = settings
        self._keys = keys
        management = Management(
            client, saved, settings.hub_name, settings.connection_name, self._keys.durable
        )
        functions = HttpFunctions(table, settings, invoker, self._payload, self._keys)
        # An aiohttp application belongs to one event loop, so these are made on each.
        self._make_public_app = partial(public_app, settings, self._keys, management, functions)
        self._make_rpc_app = partial(rpc_app, settings, management)
        self._sessions: tuple[aiohttp.ClientSession, aiohttp.ClientSession] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # that the sessions belong to
        self._opening = asyncio.Lock()
        self._rpc_url = ""  # known once it listens
        self._ends = AsyncExitStack()

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        data: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request to the app, by path or by URL; redirects are not followed."""
        public = await self.lend_session()
        async with public.request(
            method,
            ORIGIN + _path_of(path),
            json=json,
            data=_in_parts(data),
            headers=headers,
            allow_redirects=False,
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    async def send(
        self, method: str, path: str, content: str | None, headers: Mapping[str, str]
    ) -> Answer:
        """Send what `call_http` asks of the app's own routes."""
        return await self.request(method, path, data=content, headers=headers)

    async def lend_session(self) -> aiohttp.ClientSession:
        """Let the app's durable clients use this hub. Returns the session for its own routes."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # the loop before ended without `close`
            self._sessions, self._ends = None, AsyncExitStack()
            self._loop, self._opening = loop, asyncio.Lock()
        async with self._opening:  # requests that are sent at the same time share the sessions
            public, rpc = self._sessions = self._sessions or await self._open()
        sdk_patches.lend_client_session(rpc)
        return public

    async def _open(self) -> tuple[aiohttp.ClientSession, aiohttp.ClientSession]:
        public = await self._runner(self._make_public_app())
        rpc = await self._runner(self._make_rpc_app())
        await web.TCPSite(rpc, "127.0.0.1", 0).start()
        host, port = rpc.addresses[0]
        self._rpc_url = f"http://{host}:{port}{RPC}/"
        return self._session(public), self._session(rpc)

    async def lend_client(self) -> str:
        """The same; what a function gets for a client that no request came with."""
        await self.lend_session()
        return self._payload(ORIGIN, {})

    def _payload(self, origin: str, binding: Mapping[str, Any]) -> str:
        settings = self._settings
        return client_payload(
            origin,
            self._rpc_url,
            settings.hub_name,
            settings.connection_name,
            self._keys.durable,
            binding,
        )

    async def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        self._sessions = None
        await self._ends.aclose()

    async def _runner(self, app: web.Application) -> web.AppRunner:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, auto_decompress=False)
        await runner.setup()
        self._ends.push_async_callback(runner.cleanup)
        return runner

    def _session(self, runner: web.AppRunner) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(connector=_Connector(runner))
        self._ends.push_async_callback(session.close)
        return session


class _Connector(aiohttp.BaseConnector):
    """Connects to one server, whatever the address."""

    def __init__(self, runner: web.AppRunner) -> None:
        super().__init__()
        self._runner = runner

    async def _create_connection(self, *asked: object) -> ResponseHandler:
        loop = asyncio.get_running_loop()
        server = self._runner.server
        assert server is not None, "the runner is set up before the first request"
        ours, theirs = socket.socketpair()
        await loop.connect_accepted_socket(server, theirs)
        _, protocol = await loop.create_connection(self._factory, sock=ours)
        return protocol


def _path_of(path: str) -> str:
    """The path and query of a URL of this hub, such as a `statusQueryGetUri`."""
    if "://" not in path:
        return path
    if not path.startswith(f"{ORIGIN}/"):
        raise ValueError(f"{path} is not a URL of this hub: those begin with {ORIGIN}/")
    return path.removeprefix(ORIGIN)


def _in_parts(data: bytes | str | None) -> bytes | str | io.BytesIO | None:
    """A body in parts: aiohttp warns of a large body in one piece."""
    return io.BytesIO(data) if isinstance(data, bytes) and len(data) > _ONE_PIECE else data
