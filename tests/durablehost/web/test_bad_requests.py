"""Whatever bytes a caller sends, durablehost does not fail, and the next request is served."""

import asyncio
import logging
import re

import azure.durable_functions as df
import azure.functions as func
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from tests.durablehost.web.serving import KEYS, Caller, serving

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="echo/{word}/{*rest}")
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.route_params["word"] + "".join(req.params.values()))


@app.route(route="ok")
async def ok(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("ok")


async def send(call: Caller, raw: bytes) -> bytes:
    """What the server answers to these bytes; nothing, where it still waits for more of them."""
    url = URL(call.origin)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(raw)
    await writer.drain()
    answer = asyncio.create_task(reader.read())
    # All runs on one loop: once a later request is answered, this one's turn is over.
    for _ in range(3):
        assert (await call("GET", "/api/ok")).text == "ok"
    writer.close()
    try:
        return await answer
    except ConnectionError:
        return b""


TARGETS = (
    st.binary(max_size=40)
    | st.binary(max_size=40).map(b"/api/echo/".__add__)
    | st.binary(max_size=40).map(b"/api/ok?".__add__)
    | st.text(alphabet="/%2Fé?&=+.:{}aA0", max_size=40).map(lambda t: f"/api/echo/{t}".encode())
    | st.text(alphabet="/%2Fé?&=+.:{}aA0", max_size=40).map(lambda t: f"/admin/{t}".encode())
)
METHODS = st.sampled_from([b"GET", b"POST", b"OPTIONS", b"HEAD", b"BREW"]) | st.binary(max_size=9)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                b"Content-Length",
                b"Transfer-Encoding",
                b"Content-Type",
                b"Origin",
                b"X-Functions-Key",
            ]
        )
        | st.binary(max_size=9),
        st.sampled_from([b"0", b"5", b"-1", b"chunked", b"application/json", b"99999999999999999"])
        | st.binary(max_size=20),
    ),
    max_size=4,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(METHODS, TARGETS, HEADERS, st.binary(max_size=30))
async def test_no_request_makes_the_host_fail(
    caplog: pytest.LogCaptureFixture,
    method: bytes,
    target: bytes,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
) -> None:
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: x", b"Connection: close"]
    lines += [name + b": " + value for name, value in headers]
    caplog.clear()

    async with serving(app, keys=KEYS) as call:
        answer = await send(call, b"\r\n".join(lines) + b"\r\n\r\n" + body)

    assert re.match(rb"(HTTP/\d\.\d [234]\d\d )|$", answer), answer
    assert b"Traceback" not in answer
    faults = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert [fault for fault in faults if "durablehost failed" in fault] == []


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"BR\0W / HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno header\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"POST /api/ok HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /api/ok HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"400"),
        (b"POST /api/ok HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nz", b"400"),
        (b"POST /admin/functions/ok HTTP/1.1\r\nContent-Length: 999999999\r\n\r\nz", b"4"),
        (b"GET /admin/host/status\0 HTTP/1.1\r\n\r\n", b"400"),
    ],
)
async def test_invalid_http_requests_are_refused(raw: bytes, status: bytes) -> None:
    async with serving(app) as call:
        answer = await send(call, raw)

    assert answer.startswith((b"HTTP/1.1 " + status, b"HTTP/1.0 " + status)), answer
    assert b"Traceback" not in answer


async def test_three_hundred_callers_at_once_are_all_answered() -> None:
    async with serving(app) as call:
        answers = await asyncio.gather(*(call("GET", f"/api/echo/{n}") for n in range(300)))

    assert [answer.text for answer in answers] == [str(n) for n in range(300)]
