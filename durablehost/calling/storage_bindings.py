"""Serves queue and blob bindings: inputs before a call, outputs after it."""

import json
import os
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from azure.functions.meta import Datum

from durablehost.app.functions import Function
from durablehost.app.signatures import converter_of
from durablehost.calling.binding_data import fill
from durablehost.settings.percent_names import resolve


class StorageFailed(Exception):
    """The storage of a binding cannot be used. The message names it and says what to do."""


class Storage(Protocol):
    """The queues and blobs of a connection, which is a setting's name or empty.

    Each method raises StorageFailed.
    """

    async def send(self, connection: str, queue: str, body: bytes) -> None:
        """Put a message on a queue, which is created if it does not exist."""
        ...

    async def write(self, connection: str, path: str, content: bytes) -> None:
        """Write a blob at `container/name`. The container is created if it does not exist."""
        ...

    async def read(self, connection: str, path: str) -> bytes | None:
        """The contents of a blob; None if it does not exist."""
        ...


@dataclass(frozen=True)
class StorageBinding:
    """A queue output, a blob output or a blob input of a function."""

    function: str
    name: str
    type: str
    place: str  # the queue's name or the blob's path; `{name}` stands for a value of the call
    connection: str
    is_binary: bool
    as_text: bool  # the parameter is annotated `str` or `bytes`

    async def read(self, storage: Storage, data: Mapping[str, Any]) -> object:
        """The value of an input. Raises StorageFailed, ValueError."""
        content = await storage.read(self.connection, self._place(data))
        if content is None:
            return None
        datum = (
            Datum(content, "bytes")
            if self.is_binary
            else Datum(content.decode(errors="replace"), "string")
        )
        if self.as_text:
            return datum.value
        return converter_of(self.type).decode(datum, trigger_metadata={})

    def bodies(self, value: object) -> list[bytes]:
        """What is sent or written for an output's value. Raises TypeError as the worker does."""
        if isinstance(value, (bool, int, float, dict)) and self.as_text:
            return [json.dumps(value).encode()]
        if isinstance(value, list) and self.as_text:
            return self._of_json(value)
        converter = converter_of(self.type)
        try:
            datum = converter.encode(value, expected_type=None)
        except NotImplementedError:
            raise TypeError(
                f'unable to encode outgoing TypedData: unsupported type "{converter}" for '
                f'Python type "{type(value).__name__}"'
            ) from None
        if datum.type == "json":
            return self._of_json(json.loads(datum.value))
        return [datum.value.encode() if datum.type == "string" else datum.value]

    def _of_json(self, value: object) -> list[bytes]:
        """The host sends one message for each item of a list."""
        items = value if isinstance(value, list) and self.type == "queue" else [value]
        return [(i if isinstance(i, str) else json.dumps(i)).encode() for i in items]

    async def deliver(self, storage: Storage, data: Mapping[str, Any], bodies: list[bytes]) -> None:
        """Send or write the value of an output. Raises StorageFailed, ValueError."""
        place = self._place(data)
        for body in bodies:
            if self.type == "queue":
                await storage.send(self.connection, place.lower(), body)
            else:
                await storage.write(self.connection, place, body)

    def _place(self, data: Mapping[str, Any]) -> str:
        return fill(resolve(self.place, os.environ), data)


def storage_bindings(function: Function, direction: str) -> tuple[StorageBinding, ...]:
    """The queue and blob bindings of a function in one direction, "IN" or "OUT"."""
    hints = typing.get_type_hints(function.handler) if function.storage_bindings else {}
    return tuple(
        StorageBinding(
            function=function.name,
            name=binding["name"],
            type=binding["type"],
            place=str(binding["queueName"] if binding["type"] == "queue" else binding["path"]),
            connection=str(binding.get("connection") or ""),
            is_binary=str(binding.get("dataType", "")).lower() == "binary",
            as_text=_annotated(hints.get(binding["name"])) in (str, bytes),
        )
        for binding in function.storage_bindings
        if binding["direction"] == direction
    )


def _annotated(annotation: Any) -> Any:
    """The class that a parameter is annotated with, without `func.Out` around it."""
    inner = typing.get_args(annotation)
    return inner[0] if len(inner) == 1 else annotation
