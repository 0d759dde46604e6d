"""How one function is called: what it gets for each of its bindings, what its result becomes."""

import json
import logging
import os
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import azure.functions as func
from azure.functions.meta import Datum
from azure.functions.timer import TimerRequest

from durablehost.app.functions import Function
from durablehost.app.signatures import converter_of, has_implicit_output
from durablehost.calling.http_values import as_http_response

log = logging.getLogger(__name__)

_LOCAL = threading.local()


@dataclass(frozen=True, slots=True)
class FunctionBindings:
    """The bindings of a function: what it is called with, and what its result becomes."""

    function: Function
    client_names: tuple[str, ...]
    out_names: tuple[str, ...]
    response_name: str  # of the binding that is the HTTP response
    unread: str  # input bindings durablehost has no value for
    decode: Callable[[Any], Any]
    encode: Callable[[Any], Any]

    @classmethod
    def of(cls, function: Function) -> "FunctionBindings":
        outs = [b["name"] for b in function.bindings if b["direction"] == "OUT"]
        unread = [b for b in function.unserved_bindings if b["direction"] != "OUT"]
        return cls(
            function=function,
            client_names=tuple(b["name"] for b in function.client_bindings),
            out_names=tuple(name for name in outs if name != "$return"),
            response_name=next((b["name"] for b in function.bindings if b["type"] == "http"), ""),
            unread=", ".join(f"{b['name']} ({b['type']})" for b in unread),
            decode=_decoder(function),
            encode=_encoder(function),
        )

    def arguments(self, value: object, client_payload: str) -> dict[str, Any]:
        """What the function is called with, by parameter."""
        if self.unread:
            raise NotImplementedError(f"durablehost does not read the input binding {self.unread}")
        arguments = {self.function.trigger["name"]: self.decode(value)}
        for name in self.client_names:
            arguments[name] = client_payload
        for name in self.out_names:
            arguments[name] = _Out()
        if self.function.takes_context:
            arguments["context"] = InvocationContext(self.function)
        return arguments

    def result(self, returned: object, arguments: dict[str, Any], instance_id: str) -> object:
        """What the host makes of the returned value; raises what the worker would."""
        for name in self.out_names:
            value = arguments[name].get()
            if name == self.response_name:
                returned = value
            elif value is not None:
                self._say_lost(name, instance_id)
        return self.encode(returned)

    def _say_lost(self, name: str, instance_id: str) -> None:
        caller = f"{self.function.name} of {instance_id}" if instance_id else self.function.name
        log.warning(
            "%s set its output binding %s: durablehost delivers none, the value is lost",
            caller,
            name,
        )


def _decoder(function: Function) -> Callable[[Any], Any]:
    if function.kind == "activity":
        decode = converter_of("activityTrigger").decode
        return lambda text: decode(Datum(text, "json"), trigger_metadata={})
    annotations = getattr(function.handler, "__annotations__", {})
    wanted = annotations.get(function.trigger["name"])
    if wanted in (str, "str"):
        return lambda value: _content_of(value).decode()
    if wanted in (bytes, "bytes"):
        return _content_of
    return lambda value: value


def _content_of(value: object) -> bytes:
    """What a function gets that asks its trigger for `str` or `bytes`."""
    if isinstance(value, func.QueueMessage):
        return value.get_body()
    if isinstance(value, func.InputStream):
        return value.read()
    if isinstance(value, TimerRequest):
        schedule = {"Schedule": value.schedule, "ScheduleStatus": value.schedule_status}
        return json.dumps(schedule | {"IsPastDue": value.past_due}).encode()
    raise NotImplementedError(f"a {type(value).__name__} cannot be given as text")


def _encoder(function: Function) -> Callable[[Any], Any]:
    if function.kind == "activity":
        encode = converter_of("activityTrigger").encode
        return lambda result: encode(result, expected_type=None).value
    if function.kind == "http":
        return as_http_response
    may_return = any(
        binding["name"] == "$return" or has_implicit_output(binding["type"])
        for binding in function.bindings
    )

    def nothing(result: object) -> None:
        if result is not None and not may_return:
            # The missing space is the worker's.
            words = f"function {function.name!r} without a $return binding"
            raise RuntimeError(f"{words}returned a non-None value")

    return nothing


class _Out(func.Out[Any]):
    """Takes what a function gives an output binding."""

    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        self._value = val

    def get(self) -> Any:
        return self._value


class InvocationContext(func.Context):
    """What a function's `context` parameter tells of the call."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._invocation_id = str(uuid.uuid4())
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
        return _TraceContext()

    @property
    def retry_context(self) -> Any:
        return _RetryContext()


@dataclass(frozen=True)
class _TraceContext:
    trace_parent: str = ""
    trace_state: str = ""

    @property
    def attributes(self) -> dict[str, str]:
        return {}


@dataclass(frozen=True)
class _RetryContext:
    retry_count: int = 0
    max_retry_count: int = 0
    exception: None = None
