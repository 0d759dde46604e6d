"""Serves an application on a socket."""

import socket
from typing import Final

from aiohttp import web

_IDLE_SECONDS: Final = 130.0  # as Kestrel has it; for half a request, too
_LAST_SECONDS: Final = 0.4  # for requests under way when durablehost stops
_BACKLOG: Final = 1024


async def serve(
    listening: socket.socket, app: web.Application, *, idle_seconds: float = _IDLE_SECONDS
) -> web.AppRunner:
    """Serve until the runner's `cleanup`. Close connections that send no complete request."""
    runner = web.AppRunner(
        app,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=idle_seconds,
        shutdown_timeout=_LAST_SECONDS,
    )
    await runner.setup()
    await web.SockSite(runner, listening, backlog=_BACKLOG).start()
    return runner
