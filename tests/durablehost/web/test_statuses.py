"""What durablehost raises becomes a status; what it did not mean to raise becomes an empty 500."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientResponse, ClientSession, web
from aiohttp.test_utils import TestServer

from durablehost import errors
from durablehost.web.statuses import errors_as_status


@asynccontextmanager
async def raising(error: Exception) -> AsyncIterator[ClientResponse]:
    """The answer of a server whose handler raises this."""

    async def handler(request: web.Request) -> web.Response:
        raise error

    app = web.Application(middlewares=[errors_as_status])
    app.router.add_route("*", "/{path:.*}", handler)
    async with (
        TestServer(app) as server,
        ClientSession() as session,
        session.get(server.make_url("/x"), allow_redirects=False) as answer,
    ):
        yield answer


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.BadRequest("top is -1"), 400),
        (errors.InstanceExists("i-1 is running"), 409),
        (errors.InstanceEnded("i-1 has ended"), 410),
        (errors.WrongState("i-1 is running"), 412),
        (errors.HubFull("the disk is full"), 507),
        (errors.DurablehostError("something else"), 500),
    ],
)
async def test_an_error_has_a_status_and_a_message(
    error: errors.DurablehostError, status: int
) -> None:
    async with raising(error) as answer:
        assert answer.status == status
        assert await answer.json() == {"Message": str(error)}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InstanceNotFound("i-1"), 404),
        (errors.UnknownFunction("f"), 404),
        (errors.FunctionFailed("ValueError", "secret detail", "stack"), 500),
        (web.HTTPRequestEntityTooLarge(1, 2), 413),
        (web.HTTPMethodNotAllowed("GET", ["POST"]), 405),
        (RuntimeError("secret detail"), 500),
    ],
)
async def test_other_answers_are_empty(error: Exception, status: int) -> None:
    async with raising(error) as answer:
        assert answer.status == status
        assert await answer.read() == b""
        assert "Content-Type" not in answer.headers


async def test_a_redirect_is_returned_as_it_is() -> None:
    async with raising(web.HTTPFound("/there")) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "/there")


async def test_a_fault_of_durablehost_is_in_the_log_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with raising(RuntimeError("secret detail")):
        pass

    assert "GET /x: durablehost failed" in caplog.text
    assert "RuntimeError: secret detail" in caplog.text
