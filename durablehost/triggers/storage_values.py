"""Creates the values that functions receive for a queue message or a blob."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, cast

import azure.functions as func
from azure.functions.meta import Datum

from durablehost.triggers.blob_properties import properties_of
from durablehost.triggers.dotnet import LAST_TIME, time_text
from durablehost.triggers.values import as_json, decode

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties

_OWN_FIELDS = (
    "Id",
    "DequeueCount",
    "ExpirationTime",
    "InsertionTime",
    "NextVisibleTime",
    "PopReceipt",
)


class ReceivedMessage(Protocol):
    """The fields of a message of the storage SDK that are used here."""

    @property
    def id(self) -> str | None: ...
    @property
    def pop_receipt(self) -> str | None: ...
    @property
    def dequeue_count(self) -> int | None: ...
    @property
    def inserted_on(self) -> datetime | None: ...
    @property
    def expires_on(self) -> datetime | None: ...
    @property
    def next_visible_on(self) -> datetime | None: ...


def queue_message(
    body: bytes, message: ReceivedMessage | None = None, *, binary: bool = False
) -> func.QueueMessage:
    """The value for a message; without one, for a text of `POST /admin/functions/NAME`.

    Raises ValueError for what cannot be given to a function.
    """
    now = datetime.now(UTC)
    metadata = {
        "DequeueCount": as_json((message.dequeue_count if message else None) or 0),
        "ExpirationTime": _time(message.expires_on if message else None, LAST_TIME),
        "InsertionTime": _time(message.inserted_on if message else None, time_text(now)),
        "NextVisibleTime": _time(message.next_visible_on if message else None, LAST_TIME),
    }
    if message:
        metadata["Id"] = Datum(message.id, "string")
        metadata["PopReceipt"] = Datum(message.pop_receipt, "string")
    if binary:
        return cast(func.QueueMessage, decode("queueTrigger", Datum(body, "bytes"), metadata))
    text = body.decode()
    metadata |= overrides(text)
    return cast(func.QueueMessage, decode("queueTrigger", Datum(text, "string"), metadata))


def overrides(text: str) -> dict[str, Datum]:
    """The fields of a JSON message with which the host replaces properties of the message."""
    try:
        fields = json.loads(text) if text.strip().startswith("{") else {}
    except ValueError:
        return {}
    own_names = {name.lower(): name for name in _OWN_FIELDS}
    return {
        own_names[name.lower()]: as_json(value) if isinstance(value, dict) else _text(value)
        for name, value in fields.items()
        if name.lower() in own_names and value is not None and not isinstance(value, list)
    }


def blob_stream(
    content: bytes, path: str, uri: str, properties: "BlobProperties"
) -> func.InputStream:
    metadata = {
        "BlobTrigger": Datum(path, "string"),
        "Uri": as_json(uri),
        "Properties": as_json(properties_of(properties)),
        "Metadata": as_json(properties.metadata or {}),
    }
    return cast(func.InputStream, decode("blobTrigger", Datum(content, "bytes"), metadata))


def _time(time: datetime | None, otherwise: str) -> Datum:
    return as_json(time_text(time) if time else otherwise)


def _text(value: object) -> Datum:
    """Convert a JSON value to text as .NET does."""
    return Datum(value if isinstance(value, str) else str(value), "string")
