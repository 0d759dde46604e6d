"""The two HTTP servers: the public one, and the one for the SDK's client in this process."""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from durablehost.settings import Settings
from durablehost.web.admin import Admin
from durablehost.web.auth import Keys
from durablehost.web.blob_events import BLOB_WEBHOOK, BlobEvents
from durablehost.web.cors import cors
from durablehost.web.foreign_requests import ForeignRequests
from durablehost.web.http_functions import HttpFunctions
from durablehost.web.management import Management
from durablehost.web.paths import split_target
from durablehost.web.requests import only_text
from durablehost.web.statuses import errors_as_status
from durablehost.web.urls import WEBHOOKS

RPC: Final = "/durabletask"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def public_app(
    settings: Settings,
    keys: Keys,
    management: Management,
    functions: HttpFunctions,
    admin: Admin | None = None,
    blob_events: BlobEvents | None = None,
    foreign: ForeignRequests | None = None,
) -> web.Application:
    """What callers see: webhooks, admin pages, and the app's own routes.

    `foreign` refuses requests for what is not the app's own.
    """

    def guard(request: web.Request) -> None:
        if foreign is not None:
            foreign.refuse(request)

    async def webhooks(request: web.Request) -> web.StreamResponse:
        if not keys.open("durable", request):
            return web.Response(status=401)
        return await management.handle(request, _below(WEBHOOKS, request))

    async def events(request: web.Request, take: BlobEvents) -> web.StreamResponse:
        if not keys.open("blobs", request):
            return web.Response(status=401)
        return await take.handle(request)

    async def dispatch(request: web.Request) -> web.StreamResponse:
        path = _path(request).lower()
        if path.startswith(("/runtime/", "/admin/")):
            guard(request)
        if path.startswith(WEBHOOKS + "/"):
            return await webhooks(request)
        if blob_events is not None and path.rstrip("/") == BLOB_WEBHOOK:
            return await events(request, blob_events)
        if admin is None:
            return await functions.handle(request)
        if path.startswith("/admin/"):
            return await admin.handle(request)

        async def home(request: web.Request) -> web.StreamResponse:
            guard(request)
            return await admin.home(request)

        # An app may have a route of its own at the root.
        return await functions.handle(request, home)

    return _app(settings, dispatch)


def rpc_app(settings: Settings, management: Management) -> web.Application:
    """Serves the SDK's client, on the loopback interface only and without keys."""

    foreign = ForeignRequests(settings, names=())

    async def dispatch(request: web.Request) -> web.StreamResponse:
        foreign.refuse(request)
        if not _path(request).lower().startswith(RPC + "/"):
            return web.Response(status=404)
        return await management.handle(request, _below(RPC, request))

    return _app(settings, dispatch)


def _app(settings: Settings, handler: Handler) -> web.Application:
    app = web.Application(
        middlewares=[only_text, cors(settings), errors_as_status],
        client_max_size=settings.body_limit,
    )
    # Not aiohttp's routes: they decode paths, and know 405 where the host says 404.
    app.router.add_route("*", "/{path:.*}", handler)
    return app


def _path(request: web.Request) -> str:
    return split_target(request.raw_path)[0]


def _below(root: str, request: web.Request) -> str:
    return _path(request)[len(root) :]
