"""Functions with a durable client: its session lives and ends with the loop they run on."""

import asyncio
import gc
import json
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from azure.durable_functions.models.utils import http_utils

from durablehost.calling.invoker import Invoker
from durablehost.errors import FunctionFailed
from tests.durablehost.calling.declared import only

REQUEST = func.HttpRequest("GET", "http://host/api/r", body=b"")


def payload(rpc: str = "") -> str:
    urls = {"creationUrls": {}, "managementUrls": {"id": "INSTANCEID"}}
    return json.dumps({"taskHubName": "hub", "rpcBaseUrl": rpc, **urls})


@pytest.mark.parametrize("own_loop", [True, False])
async def test_a_client_works_in_call_after_call_and_leaves_no_session_open(
    own_loop: bool,
) -> None:
    started: list[str] = []

    async def start_instance(request: web.Request) -> web.Response:
        started.append(request.match_info["name"])
        return web.json_response({"id": "i-1"}, status=202)

    async def starts(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> str:
        return f"started {await client.start_new('work')}"

    app = df.DFApp()
    app.route(route="r")(app.durable_client_input(client_name="client")(starts))
    server = web.Application()
    server.router.add_post("/durabletask/orchestrators/{name}", start_instance)
    async with TestServer(server) as running:
        invoker = Invoker(own_loop=own_loop)
        rpc = str(running.make_url("/durabletask/"))
        calls = [invoker.http(only(app), REQUEST, payload(rpc)) for _ in range(20)]
        answers = await asyncio.gather(*calls)
        await invoker.close()

    assert {answer.get_body() for answer in answers} == {b"started i-1"}
    assert started == ["work"] * 20
    assert http_utils._client_session is None
    gc.collect()  # a session left open would warn here


async def test_a_sync_function_with_a_client_fails_as_on_azure() -> None:
    app = df.DFApp()

    def starts(req: func.HttpRequest, client: Any) -> str:
        return "never"

    app.route(route="r")(app.durable_client_input(client_name="client")(starts))
    invoker = Invoker(own_loop=True)

    with pytest.raises(FunctionFailed, match="TypeError: object str can't be used in 'await'"):
        await invoker.http(only(app), REQUEST, payload())
    await invoker.close()
