"""Sends the spans of durablehost and of the app to the collector.

A span of durablehost is made when it has ended: an instance can end in another process than the one
that started it. While the code of the app runs, only the context of its span is current.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode

from durablehost.tracing.contexts import child_of, is_current

_SCOPE: Final = InstrumentationScope("durablehost")

Attributes = dict[str, str | int]


@dataclass
class Running:
    """A span that has not ended."""

    attributes: Attributes
    error: str | None = None


class Spans:
    """Exports spans and log lines in the background."""

    def __init__(self, service: str) -> None:
        resource = Resource.create({SERVICE_NAME: service})
        self._resource = resource
        self._processor = BatchSpanProcessor(OTLPSpanExporter())
        self._of_app = TracerProvider(resource=resource)
        self._of_app.add_span_processor(self._processor)
        self._logs = LoggerProvider(resource=resource)
        self._logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
        self.log_handler: logging.Handler = _LogHandler(self._logs)

    def serve_app(self) -> None:
        """Export the app's own spans, too, unless the app has chosen where they go."""
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            trace.set_tracer_provider(self._of_app)

    def close(self) -> None:
        """Export what is left."""
        self._of_app.shutdown()
        self._logs.shutdown()

    @contextmanager
    def running(
        self, name: str, kind: SpanKind, parent: SpanContext | None, attributes: Attributes
    ) -> Iterator[Running]:
        """Make the code in this block a span. An exception is its error, and goes on."""
        context, began = child_of(parent), time.time_ns()
        span = Running(attributes)
        try:
            with is_current(context):
                yield span
        except BaseException as error:
            span.error = f"{type(error).__name__}: {error}"
            raise
        finally:
            self.add(name, kind, context, parent, began, span.attributes, error=span.error)

    def add(
        self,
        name: str,
        kind: SpanKind,
        context: SpanContext,
        parent: SpanContext | None,
        began: int,  # nanoseconds, like `ended`
        attributes: Attributes,
        *,
        ended: int | None = None,
        error: str | None = None,
    ) -> None:
        """Export a span that has ended: now, or when `ended` says."""
        self._processor.on_end(
            ReadableSpan(
                name,
                context,
                parent,
                self._resource,
                attributes,
                kind=kind,
                status=Status(StatusCode.UNSET if error is None else StatusCode.ERROR, error),
                start_time=began,
                end_time=ended or time.time_ns(),
                instrumentation_scope=_SCOPE,
            )
        )


class _LogHandler(logging.Handler):
    """Exports log lines. A line belongs to the span whose context is current."""

    def __init__(self, provider: LoggerProvider) -> None:
        super().__init__()
        self._provider = provider

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("opentelemetry"):
            return  # a line about a failed export would be exported again and again
        self._provider.get_logger(record.name).emit(
            LogRecord(
                timestamp=int(record.created * 1e9),
                severity_text=record.levelname,
                severity_number=SeverityNumber(4 * min(record.levelno // 10, 5) + 1),
                body=self.format(record),
            )
        )
