"""A collector of OpenTelemetry, which receives spans and log lines over HTTP."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

_PATIENCE = 60.0  # seconds


@dataclass(frozen=True)
class Span:
    """A span that was exported."""

    name: str
    kind: int
    trace_id: str
    id: str
    parent_id: str  # empty for the first span of a trace
    attributes: dict[str, str | int]
    error: str
    began: int  # nanoseconds, like `ended`
    ended: int


@dataclass(frozen=True)
class Line:
    """A log line that was exported."""

    text: str
    logger: str
    trace_id: str
    span_id: str


@dataclass
class Collector:
    """What was exported so far."""

    endpoint: str
    spans: list[Span] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)  # as they arrived
    news: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, fits: Callable[[Span], bool]) -> Span:
        """The first span that fits, once it has arrived."""

        def found() -> Span | None:
            return next(filter(fits, self.spans), None)

        with self.news:
            span = self.news.wait_for(found, timeout=_PATIENCE)
        assert span, f"no such span in {_PATIENCE} seconds"
        return span

    def below(self, trace_id: str, name: str) -> set[str]:
        """The names of all spans of a trace that are below a span of this name."""
        return {
            span.name
            for span in self.spans
            if span.trace_id == trace_id and name in self.path_of(span)[:-1]
        }

    def path_to(self, name: str) -> list[str]:
        """The names of the spans from the first one of the trace to the only one of this name."""
        [span] = [span for span in self.spans if span.name == name]
        return self.path_of(span)

    def path_of(self, span: Span) -> list[str]:
        by_id = {span.id: span for span in self.spans}
        path = [span.name]
        while span.parent_id in by_id:
            span = by_id[span.parent_id]
            path.insert(0, span.name)
        return path


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens on this machine."""
    collector = Collector("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with collector.news:
                collector.bodies.append(body)
                if self.path == "/v1/traces":
                    collector.spans += _spans_in(body)
                else:
                    collector.lines += _lines_in(body)
                collector.news.notify_all()
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.endpoint = f"http://127.0.0.1:{server.server_port}"
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield collector
        finally:
            server.shutdown()
            serving.join()


def _spans_in(body: bytes) -> Iterator[Span]:
    for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield Span(
                    span.name,
                    span.kind,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    dict(map(_attribute, span.attributes)),
                    span.status.message,
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                )


def _lines_in(body: bytes) -> Iterator[Line]:
    for of_resource in ExportLogsServiceRequest.FromString(body).resource_logs:
        for of_scope in of_resource.scope_logs:
            for line in of_scope.log_records:
                text, logger = line.body.string_value, of_scope.scope.name
                yield Line(text, logger, line.trace_id.hex(), line.span_id.hex())


def _attribute(pair: KeyValue) -> tuple[str, str | int]:
    value = pair.value
    return pair.key, value.int_value if value.HasField("int_value") else value.string_value
