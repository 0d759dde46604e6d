"""`durablehost show`: the dashboard of a hub file, a history or a deployed app; nothing runs."""

import argparse
import asyncio
import contextlib
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
from aiohttp import web

from durablehost.app.functions import FunctionTable
from durablehost.app.loading import load_app
from durablehost.calling.invoker import Invoker
from durablehost.command import console
from durablehost.command.host import listen
from durablehost.dashboard.deployed_source import DeployedSource
from durablehost.dashboard.hub_source import HubSource
from durablehost.dashboard.opened import opened
from durablehost.dashboard.serving import ROOT, Dashboard
from durablehost.dashboard.source import Source
from durablehost.hub.clock import SystemClock
from durablehost.settings import Settings
from durablehost.web.auth import Keys
from durablehost.web.foreign_requests import ForeignRequests
from durablehost.web.paths import split_target
from durablehost.web.serving import serve

_LOOPBACK = "127.0.0.1"


def run(given: argparse.Namespace) -> int:
    """Serve until Ctrl-C. Raises CannotStart."""
    console.set_up_logging()
    what = given.what if "://" in given.what else str(Path(given.what).absolute())
    folder = Path(given.app).absolute()
    has_app = (folder / "function_app.py").is_file()
    table = load_app(folder) if has_app else FunctionTable(())
    if not has_app:
        console.say(f"There is no app in {folder}, so nothing is replayed. Name one with --app.")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(what, table, given.port))
    return 0


async def _serve(what: str, table: FunctionTable, port: int) -> None:
    invoker = Invoker(own_loop=False)
    async with AsyncExitStack() as ends:
        ends.push_async_callback(invoker.close)
        listening = ends.enter_context(listen(_LOOPBACK, port))
        source: Source
        if "://" in what:
            session = await ends.enter_async_context(aiohttp.ClientSession())
            source = DeployedSource(what, table, invoker.orchestrate, session)
            ends.callback(source.close)
        else:
            backend = ends.enter_context(opened(Path(what), table))
            about = {"hub": Path(what).name, "readOnly": True}
            source = HubSource(backend, table, invoker.orchestrate, SystemClock(), about)
            ends.callback(source.close)
        runner = await serve(listening, _app(Dashboard(source, Keys())))
        ends.push_async_callback(runner.cleanup)
        address = f"http://localhost:{listening.getsockname()[1]}"
        console.say(f"Ready at {address}, and changes nothing. Ctrl-C stops it.")
        await asyncio.Event().wait()


def _app(dashboard: Dashboard) -> web.Application:
    foreign = ForeignRequests(Settings(), names=())

    async def handle(request: web.Request) -> web.StreamResponse:
        foreign.refuse(request)
        path = split_target(request.raw_path)[0]
        if path == "/":
            return dashboard.page()
        if path.startswith(ROOT):
            return await dashboard.handle(request, path.removeprefix(ROOT))
        return web.Response(status=404)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    return app
