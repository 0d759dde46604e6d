"""Trace contexts: in headers, in the first event of an instance, and the current one."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from opentelemetry import context, trace
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from durablehost.hub.backend import Message
from durablehost.hub.history import Event

_HEADERS: Final = TraceContextTextMapPropagator()
_IDS: Final = RandomIdGenerator()


def current_context() -> SpanContext | None:
    """The context that the code runs in."""
    found = trace.get_current_span().get_span_context()
    return found if found.is_valid else None


@contextmanager
def is_current(given: SpanContext | None) -> Iterator[None]:
    """Make a context the current one of the code in this block; None changes nothing."""
    if given is None:
        yield
        return
    token = context.attach(trace.set_span_in_context(NonRecordingSpan(given)))
    try:
        yield
    finally:
        context.detach(token)


def child_of(parent: SpanContext | None) -> SpanContext:
    """A context for a new span, in the trace of its parent, or in a new trace."""
    if parent is None:
        return SpanContext(
            _IDS.generate_trace_id(),
            _IDS.generate_span_id(),
            is_remote=False,
            trace_flags=TraceFlags(TraceFlags.SAMPLED),
        )
    return _with_span_id(parent, _IDS.generate_span_id())


def of_task(own: SpanContext, execution_id: str, task_id: int) -> SpanContext:
    """The context of a task that an instance scheduled.

    Its id follows from the task. So the end of the task, which may come after a restart of
    durablehost, finds it without anything that is kept.
    """
    digest = hashlib.blake2b(f"{execution_id}:{task_id}".encode(), digest_size=8).digest()
    return _with_span_id(own, int.from_bytes(digest) or 1)


def _with_span_id(given: SpanContext, span_id: int) -> SpanContext:
    return SpanContext(
        given.trace_id,
        span_id,
        is_remote=False,
        trace_flags=given.trace_flags,
        trace_state=given.trace_state,
    )


def in_headers(headers: Mapping[str, str]) -> SpanContext | None:
    """The context that a request brings."""
    carrier = {name: headers[name] for name in _HEADERS.fields if name in headers}
    found = trace.get_current_span(_HEADERS.extract(carrier, context.Context()))
    return found.get_span_context() if found.get_span_context().is_valid else None


def _headers_of(given: SpanContext) -> dict[str, str]:
    headers: dict[str, str] = {}
    _HEADERS.inject(headers, trace.set_span_in_context(NonRecordingSpan(given)))
    return headers


def with_parent(message: Message, parent: SpanContext) -> Message:
    """The message that starts an instance, with the contexts of its parent and of itself."""
    own, headers = _headers_of(child_of(parent)), _headers_of(parent)
    written = {
        "TraceParent": headers["traceparent"],
        "TraceState": headers.get("tracestate"),
        "Id": own["traceparent"],
        "SpanId": own["traceparent"].split("-")[2],
        "ActivityStartTime": message.event["Timestamp"],
    }
    return replace(message, event={**message.event, "ParentTraceContext": written})


def parent_of(start: Event) -> SpanContext | None:
    """The context that an instance was started in, according to its first event."""
    return _read(start, "TraceParent")


def own_of(start: Event) -> SpanContext | None:
    """The context of an instance itself."""
    return _read(start, "Id")


def _read(start: Event, key: str) -> SpanContext | None:
    kept: dict[str, Any] = start.get("ParentTraceContext") or {}
    if not kept:
        return None
    return in_headers({"traceparent": kept[key], "tracestate": kept["TraceState"] or ""})
