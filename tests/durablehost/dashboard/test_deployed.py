"""What the dashboard asks a deployed app, without a browser."""

import asyncio
import json
import threading

import aiohttp
import azure.durable_functions as df
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from durablehost.app.functions import Function
from durablehost.app.loading import table_of
from durablehost.dashboard import stepping
from durablehost.dashboard.deployed_source import DeployedSource

SHOWN = {
    "instanceId": "endless-1",
    "runtimeStatus": "Running",
    "customStatus": None,
    "output": None,
    "historyEvents": [
        {
            "EventType": "ExecutionStarted",
            "FunctionName": "endless",
            "Timestamp": "2026-01-01T00:00:00Z",
        }
    ],
}


def never(function: Function, body: str) -> str:
    raise AssertionError("the code did not end before")


async def test_an_orchestrator_that_does_not_end_leaves_the_dashboard_answering(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stop, looping = threading.Event(), threading.Event()
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def endless(context):
        looping.set()
        stop.wait(20)
        yield context.call_activity("pack", 1)

    async def status(request: web.Request) -> web.Response:
        return web.Response(text=json.dumps(SHOWN), content_type="application/json")

    site = web.Application()
    site.router.add_get("/{path:.*}", status)
    monkeypatch.setattr(stepping, "_WITHIN", 0.3)
    async with TestServer(site) as server, aiohttp.ClientSession() as session:
        source = DeployedSource(str(server.make_url("/")), table_of(app), never, session)
        replay = asyncio.create_task(source.replay("endless-1"))
        await asyncio.to_thread(looping.wait)

        instance = await source.instance("endless-1")
        found = await replay
        stop.set()
        source.close()

    assert instance is not None
    assert instance["instance"]["status"] == "Running"
    assert found is not None
    assert found["why"].startswith("The orchestrator did not end within")
