"""Bodies up to the host's limit are taken wherever one may stand; beyond it the answer is 413."""

from collections.abc import Iterator

import pytest

from tests.durablehost.apps import SOUND, result_of, write_app
from tests.durablehost.web.raw_http import MANAGEMENT, RawAnswer, connection, read_all, send
from tests.durablehost_process import Started, running

LIMIT = 104_857_600
LARGE = 20_000_000  # what is kept in the hub costs time for each byte
JSON = b"Content-Type: application/json"
ROUTES = [
    b"/api/length",
    MANAGEMENT + b"/orchestrators/waiting",
    MANAGEMENT + b"/instances/open/raiseEvent/Other",
    MANAGEMENT + b"/entities/counter/one?op=add",
]
MEASURING = """

@app.orchestration_trigger(context_name="context")
def measuring(context):
    return len((yield context.wait_for_external_event("Go")))
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """A durablehost that takes a thousand bytes."""
    folder = write_app(tmp_path_factory.mktemp("small") / "app")
    limit = {"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "1000"}
    with running(folder, "--data", ":memory:", environ=limit) as host:
        host.manage("POST", "/orchestrators/waiting/open")
        yield host


def post(host: Started, target: bytes, body: bytes) -> RawAnswer:
    return send(host, b"POST", target, body, (JSON,))


def text_of(size: int) -> bytes:
    """A body of this size that is a JSON text."""
    return b'"' + b"x" * (size - 2) + b'"'


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """A durablehost with the host's own limit."""
    folder = write_app(tmp_path_factory.mktemp("large") / "app", SOUND + MEASURING)
    with running(folder) as started:
        started.manage("POST", "/orchestrators/waiting/open")
        yield started


@pytest.fixture
def host(shared: Started) -> Iterator[Started]:
    """A durablehost that goes on working after each test."""
    yield shared
    assert shared.run_to_its_end("chain") == 4
    assert "error: " not in shared.text


def test_a_function_takes_a_hundred_megabytes(host: Started) -> None:
    answer = post(host, b"/api/length", text_of(LIMIT))

    assert (answer.status, answer.body) == (200, str(LIMIT).encode())


def test_a_start_takes_tens_of_megabytes(host: Started) -> None:
    started = post(host, MANAGEMENT + b"/orchestrators/waiting/large", text_of(LARGE))

    assert started.status == 202
    shown = host.manage("GET", "/instances/large").json()
    assert len(shown["input"]) == LARGE - 2


def test_an_event_takes_tens_of_megabytes(host: Started) -> None:
    host.manage("POST", "/orchestrators/measuring/one")

    raised = post(host, MANAGEMENT + b"/instances/one/raiseEvent/Go", text_of(LARGE))

    assert raised.status == 202
    assert result_of(host, "one") == LARGE - 2


def test_a_signal_takes_tens_of_megabytes(host: Started) -> None:
    signalled = post(host, MANAGEMENT + b"/entities/counter/one?op=add", text_of(LARGE))

    assert signalled.status == 202


@pytest.mark.parametrize("target", ROUTES)
def test_the_limit_is_exact(small: Started, target: bytes) -> None:
    most, too_much = post(small, target, text_of(1000)), post(small, target, text_of(1001))

    assert most.status in (200, 202)
    assert (too_much.status, too_much.body) == (413, b"")


@pytest.mark.parametrize("target", ROUTES[1:])  # a function gets no body in chunks, as on Azure
def test_a_body_in_chunks_is_counted_as_it_comes(small: Started, target: bytes) -> None:
    head = b"POST %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%b\r\n" % (target, JSON)
    chunk = b"100\r\n" + b" " * 256 + b"\r\n"
    with connection(small) as opened:
        opened.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + 4 * chunk + b"0\r\n\r\n")
        answer = RawAnswer(read_all(opened))

    assert (answer.status, answer.body) == (413, b"")


@pytest.mark.parametrize("target", ROUTES)
def test_a_body_that_is_announced_over_the_limit_is_refused_before_it_is_sent(
    host: Started, target: bytes
) -> None:
    length = b"Content-Length: %d" % (LIMIT + 1)
    head = b"POST %b HTTP/1.1\r\nHost: localhost\r\n%b\r\n%b\r\n\r\n" % (target, JSON, length)
    with connection(host) as opened:
        opened.sendall(head)

        assert opened.recv(12) == b"HTTP/1.1 413"


def test_hosts_own_pages_take_a_megabyte(small: Started) -> None:
    answer = post(small, b"/admin/functions/double", b'{"input": "' + b"x" * 1_048_576 + b'"}')

    assert answer.status == 413
