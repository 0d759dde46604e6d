"""The bindings of a function: its arguments for a call, and what becomes of its result."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import azure.functions as func
from azure.functions.meta import Datum
from azure.functions.timer import TimerRequest

from durablehost.app.functions import Function
from durablehost.app.signatures import converter_of, has_implicit_output
from durablehost.calling.binding_data import binding_data
from durablehost.calling.http_values import as_http_response
from durablehost.calling.invocation_context import InvocationContext, RetryContext
from durablehost.calling.storage_bindings import Storage, StorageBinding, storage_bindings
from durablehost.hub.history import compact

log = logging.getLogger(__name__)

_RETURN = "$return"
_ODD_VALUES = ("NaN", "Infinity", "\\ud")  # the last is part of a surrogate pair


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation of a function: the value of its trigger and of its other parameters."""

    value: object
    client_payload: str
    instance_id: str = ""  # of the orchestration that calls an activity
    retry: RetryContext = RetryContext()
    invocation_id: str = ""  # only if it is logged or the function uses it


Delivery = tuple[StorageBinding, list[bytes]]


@dataclass(frozen=True, slots=True)
class Returned:
    """The outcome of a call: its result, and what is to be sent or written."""

    result: object
    deliveries: Sequence[Delivery]


@dataclass(frozen=True, slots=True)
class FunctionBindings:
    """The bindings of one function."""

    function: Function
    client_names: tuple[str, ...]
    out_names: tuple[str, ...]
    response_name: str  # of the binding that is the HTTP response
    unread: str  # input bindings durablehost has no value for
    lost: frozenset[str]  # output bindings durablehost does not deliver
    stored_inputs: tuple[StorageBinding, ...]
    stored_outputs: Mapping[str, StorageBinding]
    decode: Callable[[Any], Any]
    encode: Callable[[Any], Any]

    @classmethod
    def of(cls, function: Function) -> "FunctionBindings":
        outs = [b["name"] for b in function.bindings if b["direction"] == "OUT"]
        unserved = function.unserved_bindings
        unread = [f"{b['name']} ({b['type']})" for b in unserved if b["direction"] != "OUT"]
        return cls(
            function=function,
            client_names=tuple(b["name"] for b in function.client_bindings),
            out_names=tuple(name for name in outs if name != _RETURN),
            response_name=next((b["name"] for b in function.bindings if b["type"] == "http"), ""),
            unread=", ".join(unread),
            lost=frozenset(b["name"] for b in unserved if b["direction"] == "OUT"),
            stored_inputs=storage_bindings(function, "IN"),
            stored_outputs={b.name: b for b in storage_bindings(function, "OUT")},
            decode=_decoder(function),
            encode=_encoder(function),
        )

    async def read(self, storage: Storage, invocation: Invocation) -> dict[str, Any]:
        """The values of the blob inputs. Raises StorageFailed, ValueError."""
        if not self.stored_inputs:
            return {}
        data = binding_data(self.function, invocation.value, invocation.instance_id)
        return {each.name: await each.read(storage, data) for each in self.stored_inputs}

    async def deliver(
        self, storage: Storage, invocation: Invocation, deliveries: Sequence[Delivery]
    ) -> None:
        """Send and write the values of the outputs. Raises StorageFailed, ValueError."""
        if not deliveries:
            return
        data = binding_data(self.function, invocation.value, invocation.instance_id)
        for binding, bodies in deliveries:
            await binding.deliver(storage, data, bodies)

    def arguments(self, invocation: Invocation, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments for a call, by parameter."""
        if self.unread:
            raise NotImplementedError(f"durablehost does not read the input binding {self.unread}")
        arguments = {self.function.trigger["name"]: self.decode(invocation.value), **inputs}
        for name in self.client_names:
            arguments[name] = invocation.client_payload
        for name in self.out_names:
            arguments[name] = _Out()
        if self.function.takes_context:
            arguments["context"] = InvocationContext(
                self.function, invocation.value, invocation.retry, invocation.invocation_id
            )
        return arguments

    def result(
        self, returned: object, arguments: dict[str, Any], invocation: Invocation
    ) -> Returned:
        """Convert the returned value as the host does. Raises what the worker raises."""
        deliveries: list[Delivery] = []
        for name in self.out_names:
            value = arguments[name].get()
            if name == self.response_name:
                returned = value
            elif value is not None:
                self._put_out(name, value, deliveries, invocation)
        encoded = self.encode(returned)
        if _RETURN in self.stored_outputs or (_RETURN in self.lost and returned is not None):
            self._put_out(_RETURN, returned, deliveries, invocation)
        return Returned(encoded, deliveries)

    def _put_out(
        self, name: str, value: Any, deliveries: list[Delivery], invocation: Invocation
    ) -> None:
        if binding := self.stored_outputs.get(name):
            deliveries.append((binding, binding.bodies(value)))
            return
        caller = self.function.name
        if invocation.instance_id:
            caller += f" of {invocation.instance_id}"
        log.warning(
            "%s set its output binding %s, which durablehost does not serve: the value is lost",
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
    """The value for a function whose trigger parameter is annotated `str` or `bytes`."""
    if isinstance(value, (str, bytes)):  # of a trigger that the SDK has no converter for
        return value.encode() if isinstance(value, str) else value
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
        return lambda result: _as_dotnet_json(encode(result, expected_type=None).value)
    if function.kind == "http":
        return as_http_response
    may_return = any(
        binding["name"] == _RETURN or has_implicit_output(binding["type"])
        for binding in function.bindings
    )

    def nothing(result: object) -> None:
        if result is not None and not may_return:
            # The missing space is the worker's.
            words = f"function {function.name!r} without a $return binding"
            raise RuntimeError(f"{words}returned a non-None value")

    return nothing


def _as_dotnet_json(text: str) -> str:
    """Write a result as the host does: NaN and Infinity become strings."""
    if any(mark in text for mark in _ODD_VALUES):
        return compact(json.loads(text, parse_constant=str))
    return text


class _Out(func.Out[Any]):
    """Receives the value that a function sets on an output binding."""

    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        self._value = val

    def get(self) -> Any:
        return self._value
