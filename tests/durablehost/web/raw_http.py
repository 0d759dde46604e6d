"""HTTP as bytes, for requests that no client would send."""

import contextlib
import json
import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from tests.durablehost_process import Started

MANAGEMENT = b"/runtime/webhooks/durabletask"


class RawAnswer:
    """What came back until the server closed the connection."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        head, _, self.body = raw.partition(b"\r\n\r\n")
        found = re.match(rb"HTTP/1\.[01] (\d\d\d) ", head)
        assert found, f"no answer: {raw[:200]!r}"
        self.status = int(found[1])
        self.head = head
        if re.search(rb"^transfer-encoding: *chunked\r?$", head, re.IGNORECASE | re.MULTILINE):
            self.body = _joined(self.body)

    def json(self) -> Any:
        """The body, where it is JSON by the book."""
        return json.loads(self.body, parse_constant=_no_constant)

    @property
    def is_json(self) -> bool:
        return b"application/json" in self.head


def _joined(body: bytes) -> bytes:
    """The chunks of a body, put together."""
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        whole += body[:length]
        body = body[length + 2 :]
    return whole


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


@contextlib.contextmanager
def connection(host: Started) -> Iterator[socket.socket]:
    """A connection to a durablehost."""
    address = urlsplit(host.base)
    with socket.create_connection((str(address.hostname), address.port), timeout=120) as opened:
        yield opened


def request(
    method: bytes, target: bytes, body: bytes | None = None, headers: tuple[bytes, ...] = ()
) -> bytes:
    """A whole request, after which the server closes the connection."""
    lines = [method + b" " + target + b" HTTP/1.1", b"Connection: close", *headers]
    if not any(header.lower().startswith(b"host:") for header in headers):
        lines.append(b"Host: localhost")
    if body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


def send(
    host: Started,
    method: bytes,
    target: bytes,
    body: bytes | None = None,
    headers: tuple[bytes, ...] = (),
) -> RawAnswer:
    """Send one request; what came back."""
    with connection(host) as opened:
        # A server may answer, and close, before it has read a body that it refuses.
        with contextlib.suppress(ConnectionError):
            opened.sendall(request(method, target, body, headers))
        return RawAnswer(read_all(opened))


def read_all(opened: socket.socket) -> bytes:
    read = bytearray()
    with contextlib.suppress(ConnectionError):
        while some := opened.recv(65536):
            read += some
    return bytes(read)
