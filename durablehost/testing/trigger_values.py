"""Makes the message, the blob or the timer request that `fire` gives a function."""

import json
import os
import re
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from azure.functions.meta import Datum

from durablehost.app.functions import Function
from durablehost.app.ncrontab import parse
from durablehost.calling.blob_path import parse_path
from durablehost.settings.percent_names import resolve
from durablehost.triggers.dotnet import time_text
from durablehost.triggers.storage_values import queue_message
from durablehost.triggers.values import as_json, decode, from_text, timer_request

_KEPT: Final = timedelta(days=7)  # how long a queue keeps a message
_PLACEHOLDER: Final = re.compile(r"\{([^{}:]+)[^{}]*\}")


@dataclass(frozen=True)
class _Message:
    """What a queue adds to the body of a message."""

    id: str
    pop_receipt: str
    dequeue_count: int
    inserted_on: datetime
    expires_on: datetime
    next_visible_on: datetime


def trigger_value(function: Function, value: object, name: str | None, now: datetime) -> object:
    """The argument of the function. Texts, bytes, dictionaries and lists become its type.

    Any other value is given as it is. `name` is the path of a blob. Raises ValueError.
    """
    if function.kind == "timer" and value is None:
        schedule = parse(resolve(str(function.trigger["schedule"]), os.environ))
        return timer_request(schedule, None, past_due=False)
    if function.kind == "timer" or not isinstance(value, (str, bytes, dict, list)):
        return value
    content = value if isinstance(value, bytes) else _text_of(value).encode()
    if function.kind == "queue":
        return _queue_message(content, now)
    if function.kind == "blob":
        return _blob(function, content, name, now)
    return from_text(function.trigger, content.decode())


def _text_of(value: str | dict[str, object] | list[object]) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _queue_message(content: bytes, now: datetime) -> object:
    message = _Message(
        id=str(uuid.uuid4()),
        pop_receipt=str(uuid.uuid4()),
        dequeue_count=1,
        inserted_on=now,
        expires_on=now + _KEPT,
        next_visible_on=now,
    )
    try:
        content.decode()
    except UnicodeDecodeError:
        return queue_message(content, message, binary=True)
    return queue_message(content, message)


def _blob(function: Function, content: bytes, name: str | None, now: datetime) -> object:
    watched = resolve(str(function.trigger["path"]), os.environ)
    path = name or _PLACEHOLDER.sub(r"\1", watched)
    container, _, blob = path.partition("/")
    wanted = parse_path(watched)
    if container != wanted.container or not wanted.takes(blob):
        raise ValueError(f"{function.name} is for blobs such as '{watched}', not '{path}'")
    properties = {
        "ContentLength": len(content),
        "CreatedOn": time_text(now),
        "LastModified": time_text(now),
    }
    metadata = {
        "BlobTrigger": Datum(path, "string"),
        "Uri": as_json(f"http://127.0.0.1:10000/devstoreaccount1/{path}"),
        "Properties": as_json(properties),
        "Metadata": as_json({}),
    }
    return decode("blobTrigger", Datum(content, "bytes"), metadata)
