"""The value of a function's `context` parameter."""

import os
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import azure.functions as func
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from durablehost.app.functions import Function

_LOCAL = threading.local()


@dataclass(frozen=True)
class RpcException:
    """The exception of the previous attempt, as the real worker shows it."""

    message: str
    source: str = ""
    stack_trace: str = ""


@dataclass(frozen=True)
class RetryContext:
    """Which attempt this is: 0 for the first one."""

    retry_count: int = 0
    max_retry_count: int = 0
    exception: RpcException | None = None


def _new_trace_parent() -> str:
    """A W3C trace context that is not sampled."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"


def trace_headers() -> dict[str, str]:
    """The headers of the current trace. There are none unless durablehost traces."""
    headers: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(headers)
    return headers


@dataclass(frozen=True)
class TraceContext:
    """The W3C trace context of a call, under the names of azure-functions and of the worker."""

    trace_parent: str = field(default_factory=_new_trace_parent)
    trace_state: str = ""
    attributes: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, value: object) -> "TraceContext":
        """The current one if durablehost traces, or that of a request, or a new one."""
        headers: Mapping[str, str] = trace_headers()
        if not headers and isinstance(value, func.HttpRequest):
            headers = value.headers
        if parent := headers.get("traceparent"):
            return cls(parent, headers.get("tracestate", ""))
        return cls()

    @property
    def Traceparent(self) -> str:  # the worker's own spelling
        return self.trace_parent

    @property
    def Tracestate(self) -> str:  # as above
        return self.trace_state

    @property
    def Attributes(self) -> dict[str, str]:  # as above
        return self.attributes


class InvocationContext(func.Context):
    """The value of a function's `context` parameter."""

    def __init__(
        self, function: Function, value: object, retry: RetryContext, invocation_id: str
    ) -> None:
        self._function = function
        self._trace = TraceContext.of(value)
        self._retry = retry
        self._invocation_id = invocation_id
        _LOCAL.invocation_id = self._invocation_id

    @property
    def invocation_id(self) -> str:
        return self._invocation_id

    @property
    def thread_local_storage(self) -> Any:
        return _LOCAL

    @property
    def function_name(self) -> str:
        return self._function.name

    @property
    def function_directory(self) -> str:
        return os.path.dirname(os.path.abspath(self._function.place.file))

    @property
    def trace_context(self) -> Any:
        return self._trace

    @property
    def retry_context(self) -> Any:
        return self._retry
