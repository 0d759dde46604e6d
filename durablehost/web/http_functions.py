"""Serves the app's HTTP functions: finds the function, checks the key and calls it."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from durablehost.app.functions import Function, FunctionTable
from durablehost.calling.invoker import Invoker
from durablehost.errors import FunctionFailed
from durablehost.settings import Settings
from durablehost.web.auth import Keys, level_of
from durablehost.web.requests import origin_of, read_request
from durablehost.web.responses import response_of
from durablehost.web.routes import Router

log = logging.getLogger(__name__)

ClientPayload = Callable[[str, Mapping[str, Any]], str]


class HttpFunctions:
    """The app's HTTP functions. Other routes take precedence."""

    def __init__(
        self,
        table: FunctionTable,
        settings: Settings,
        invoker: Invoker,
        client_payload: ClientPayload,
        keys: Keys,
    ) -> None:
        """`client_payload` makes the text for a durable client from (caller's origin, binding)."""
        self._router = Router(table.functions, settings.route_prefix)
        self._settings = settings
        self._invoker = invoker
        self._client_payload = client_payload
        self._keys = keys

    async def handle(
        self, request: web.Request, otherwise: Handler | None = None
    ) -> web.StreamResponse:
        """Call the function for a request and return its answer.

        What no function is for goes to `otherwise`; without one it is 404 with an empty body.
        """
        found = self._router.match(request.method, request.raw_path)
        if found:
            return await self._answer(request, *found)
        return await otherwise(request) if otherwise else web.Response(status=404)

    async def _answer(
        self, request: web.Request, function: Function, route_params: dict[str, str]
    ) -> web.Response:
        if not self._keys.open(level_of(function.trigger.get("authLevel")), request):
            return web.Response(status=401)
        if function.is_disabled and not self._keys.is_master(request):
            return web.Response(status=404)
        seen = await read_request(request, route_params, self._settings.body_limit)
        clients = function.client_bindings
        payload = self._client_payload(origin_of(request), clients[0]) if clients else ""
        try:
            answer = await self._invoker.http(function, seen, payload)
            return response_of(function.name, answer, request.version)
        except FunctionFailed as error:
            log.error(
                "%s (%s) failed, the caller gets an empty 500: %s\n%s",
                function.name,
                function.place,
                error,
                error.stack,
            )
            return web.Response(status=500)
