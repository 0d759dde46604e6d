"""Callers that hang up, wait, or come by the thousand: the others are served all the same."""

import asyncio
import contextlib
import resource
import socket
import struct
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from durablehost.web.bodies import read_body
from durablehost.web.serving import serve
from durablehost.web.statuses import errors_as_status
from tests.durablehost.apps import SOUND, write_app
from tests.durablehost.web.raw_http import MANAGEMENT, RawAnswer, connection, request
from tests.durablehost_process import Started, running

OPEN_FILES = 2048
LARGE = (
    SOUND
    + """
import threading

GATE = threading.Event()


@app.route(route="large", auth_level="anonymous")
def large(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(b"x" * 50_000_000)


@app.route(route="slow", auth_level="anonymous")
def slow(req: func.HttpRequest) -> str:
    print("begun", flush=True)
    GATE.wait()
    print("over", flush=True)
    return "late"


@app.route(route="release", auth_level="anonymous")
def release(req: func.HttpRequest) -> str:
    GATE.set()
    return ""
"""
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    folder = write_app(tmp_path_factory.mktemp("connections") / "app", LARGE)
    with running(folder, "--data", ":memory:") as started:
        started.manage("POST", "/orchestrators/waiting/open")
        yield started
        assert started.stop() == 0


@pytest.fixture
def host(shared: Started) -> Iterator[Started]:
    """A durablehost that goes on working after each test, with no fault of its own in its log."""
    before = len(shared.lines)
    yield shared
    assert shared.run_to_its_end("chain") == 4
    said = "\n".join(shared.lines[before:])
    assert "Traceback" not in said
    assert "error: " not in said


def ids_of(host: Started) -> list[str]:
    return [instance["instanceId"] for instance in host.manage("GET", "/instances").json()]


def hang_up(opened: socket.socket) -> None:
    """Close it at once, as a process that dies does."""
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    opened.close()


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    "target",
    [
        b"/api/length",
        b"/api/start/waiting",
        MANAGEMENT + b"/orchestrators/waiting/never",
        MANAGEMENT + b"/instances/open/raiseEvent/Go",
        MANAGEMENT + b"/entities/counter/one?op=add",
        b"/admin/functions/double",
    ],
)
def test_a_request_whose_caller_hangs_up_in_the_body_is_not_run(
    host: Started, target: bytes, at_once: bool
) -> None:
    before = ids_of(host)
    body = b'"' + b"x" * 100_000 + b'"'
    whole = request(b"POST", target, body, (b"Content-Type: application/json",))
    for _ in range(20):
        with connection(host) as opened:
            opened.sendall(whole[:-50_000])
            if at_once:
                hang_up(opened)

    assert ids_of(host) == before
    assert host.manage("GET", "/instances/open").json()["runtimeStatus"] in ("Pending", "Running")


def test_a_caller_that_hangs_up_during_the_answer_affects_no_others(host: Started) -> None:
    for _ in range(5):
        with connection(host) as opened:
            opened.sendall(request(b"GET", b"/api/large"))
            assert opened.recv(4) == b"HTTP"
            hang_up(opened)

    assert len(host.ask("GET", "/api/large").body) == 50_000_000


def test_a_caller_that_hangs_up_before_the_answer_affects_no_others(host: Started) -> None:
    with connection(host) as opened:
        opened.sendall(request(b"GET", b"/api/slow"))
        host.output.wait_for("begun")
        hang_up(opened)
    host.ask("GET", "/api/release")
    host.output.wait_for("over")

    waiting = request(
        b"POST", MANAGEMENT + b"/orchestrators/waiting/asked?timeout=9999&pollingInterval=1", b""
    )
    with connection(host) as opened:
        opened.sendall(waiting)
        hang_up(opened)

    assert host.ask("GET", "/api/hello/Ada").text == "Hello Ada"


async def ask_all(base: str, callers: int) -> list[bytes]:
    """Connect them all, and only then have each of them ask."""
    address = urlsplit(base)
    gate = asyncio.Semaphore(200)  # a system drops what its queue of new callers cannot hold

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with gate:
            return await asyncio.open_connection(address.hostname, address.port)

    connected = await asyncio.gather(*(connect() for _ in range(callers)))
    for number, (_, writer) in enumerate(connected):
        writer.write(request(b"GET", b"/api/hello/%d" % number))
    answers = await asyncio.gather(*(reader.read() for reader, _ in connected))
    for _, writer in connected:
        writer.close()
    return answers


@pytest.fixture
def few_open_files() -> Iterator[None]:
    """Let what is started here begin with few open files, as on many machines."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.skipif(sys.platform == "win32", reason="has no such limit")
async def test_a_thousand_callers_at_once_are_all_answered(
    tmp_path_factory: pytest.TempPathFactory, few_open_files: None
) -> None:
    folder = write_app(tmp_path_factory.mktemp("thousand") / "app")
    with running(folder) as host:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < OPEN_FILES:
            pytest.skip("this test may not open enough connections itself")
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard))

        answers = await ask_all(host.base, 1000)

        assert [RawAnswer(answer).body for answer in answers] == [
            b"Hello %d" % number for number in range(1000)
        ]
        assert host.run_to_its_end("chain") == 4
        assert "error: " not in host.text


def test_incomplete_requests_do_not_delay_others(host: Started) -> None:
    halves = (
        b"",
        b"GET /api/hel",
        b"GET /api/hello/Ada HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /api/length HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf",
    )
    with contextlib.ExitStack() as callers:
        for half in halves * 50:
            callers.enter_context(connection(host)).sendall(half)

        assert host.ask("GET", "/api/hello/Ada").text == "Hello Ada"
        assert host.run_to_its_end("chain") == 4


@pytest.mark.parametrize("half", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
async def test_a_connection_is_closed_if_its_request_never_becomes_complete(half: bytes) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    runner = await serve(listening, web.Application(), idle_seconds=0.05)
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    writer.write(half)

    async with asyncio.timeout(60):
        assert await reader.read() == b""

    writer.close()
    await runner.cleanup()


async def test_a_body_that_stops_coming_is_answered_with_408() -> None:
    async def read(request: web.Request) -> web.Response:
        return web.Response(body=await read_body(request, 100, patience=0.05))

    app = web.Application(middlewares=[errors_as_status])
    app.router.add_post("/", read)
    listening = socket.create_server(("127.0.0.1", 0))
    runner = await serve(listening, app)
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")

    async with asyncio.timeout(60):
        assert await reader.readexactly(12) == b"HTTP/1.1 408"

    writer.close()
    await runner.cleanup()
