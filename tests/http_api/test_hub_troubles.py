"""A host that cannot reach its task hub: callers are told so, and not that nothing is there.

The client is the SDK's own, in the app's own functions; the host is told what to answer, as the
real one answers where its storage is gone.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import azure.functions as func
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer as Server
from azure.durable_functions.models.utils import http_utils

from blueprints import (
    aggregator,
    chaining,
    entity_counter,
    eternal,
    operations,
    operations_cancelling,
    operations_children,
    sub_orchestrations,
    versioning,
)

INVOICE = {"vendor": "acme", "number": "INV-1", "order": "PO-1", "amount_cents": 1}
EVENT = {"event": "e-1", "vendor": "acme", "amount_cents": 1}
ID = {"id": "intake:acme:INV-1"}

FAILED = {
    "Message": "Something went wrong while processing your request",
    "ExceptionMessage": "No connection could be made (127.0.0.1:10002)",
    "ExceptionType": "Azure.RequestFailedException",
    "StackTrace": "   at Azure.Data.Tables.TableClient…",
}
RUNNING = {
    "name": "invoice_intake",
    "instanceId": ID["id"],
    "runtimeStatus": "Running",
    "createdTime": "2026-01-01T00:00:00Z",
    "lastUpdatedTime": "2026-01-01T00:00:00Z",
}


class Host:
    """A host that finds no instance, one, or its storage gone."""

    def __init__(self) -> None:
        self.looks: web.Response | None = None

    async def answer(self, request: web.Request) -> web.Response:
        if request.method == "GET" and self.looks is not None:
            return self.looks
        return web.json_response(FAILED, status=500)


@pytest.fixture
def host() -> Host:
    return Host()


@pytest_asyncio.fixture
async def client(host: Host) -> AsyncIterator[str]:
    """The binding as the host hands it to a function."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", host.answer)
    async with Server(app) as server:
        yield json.dumps(
            {
                "taskHubName": "hub",
                "creationUrls": {},
                "managementUrls": {"id": "ID"},
                "rpcBaseUrl": str(server.make_url("/")),
            }
        )
        await http_utils._close_session()


def request(route: dict[str, str] | None = None, body: object = None) -> func.HttpRequest:
    content = b"" if body is None else json.dumps(body).encode()
    return func.HttpRequest("POST", "https://pay.example/api", body=content, route_params=route)


# These list instances, so they take the binding itself and not the SDK's client.
LISTING = (
    operations.list_operations,
    operations_cancelling.cancel_operation,
    operations_children.list_operation_children,
    versioning.show_retiring_versions,
)


async def assert_503(
    function: Callable[..., Awaitable[func.HttpResponse]], req: func.HttpRequest, client: str
) -> None:
    parameter = "starter" if function in LISTING else "client"

    answer = await function(req=req, **{parameter: client})

    assert answer.status_code == 503
    assert json.loads(answer.get_body())["code"] == "hub_unavailable"
    assert b"Azure" not in answer.get_body()


@pytest.mark.parametrize(
    ("function", "req"),
    [
        (operations.show_operation, request(ID)),
        (operations.list_operations, request()),
        (operations.delete_operation, request(ID)),
        (operations_children.list_operation_children, request(ID)),
        (chaining.start_invoice_intake, request(body=INVOICE)),
        (eternal.start_ledger_sweep, request(body={})),
        (entity_counter.show_counter, request({"key": "invoices"})),
        (aggregator.record_vendor_event, request(body=EVENT)),
        (sub_orchestrations.retry_month_end_close, request(ID)),
        (versioning.show_retiring_versions, request()),
    ],
)
async def test_an_unreadable_hub_is_not_an_unknown_operation(
    function: Any, req: func.HttpRequest, client: str
) -> None:
    await assert_503(function, req, client)


@pytest.mark.parametrize(
    ("function", "req"),
    [
        (chaining.start_invoice_intake, request(body=INVOICE)),
        (eternal.start_ledger_sweep, request(body={})),
        (entity_counter.add_to_counter, request({"key": "invoices"}, {"amount": 1})),
    ],
)
async def test_a_start_that_the_hub_cannot_write_is_503(
    host: Host, function: Any, req: func.HttpRequest, client: str
) -> None:
    host.looks = web.Response(status=404)

    await assert_503(function, req, client)


@pytest.mark.parametrize(
    "function", [operations_cancelling.cancel_operation, operations.suspend_operation]
)
async def test_a_change_that_the_hub_cannot_make_is_503(
    host: Host, function: Any, client: str
) -> None:
    host.looks = web.json_response(RUNNING, status=202)

    await assert_503(function, request(ID), client)


async def test_an_unreachable_host_is_reported(client: str) -> None:
    gone = json.dumps(json.loads(client) | {"rpcBaseUrl": "http://127.0.0.1:1/durabletask/"})

    await assert_503(operations.show_operation, request(ID), gone)
    await assert_503(operations.list_operations, request(), gone)
