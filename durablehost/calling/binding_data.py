"""The values that stand for `{name}` in the queue names and blob paths of bindings.

They come from the trigger, as on the real host: a route parameter, a query parameter
or a field of the JSON body of a request; the text or a field of a message; a part of a blob's
name; the input of an activity.
"""

import json
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import azure.functions as func

from durablehost.app.functions import Function
from durablehost.calling.blob_path import parse_path

_EXPRESSION = re.compile(r"\{\{|\}\}|\{([^{}:]*)(?::([^{}]*))?\}")
_GUID_FORMATS = {"": "D", "d": "D", "n": "N", "b": "B", "p": "P"}
# What .NET calls the parts of a time, and what Python calls them.
_TIME_PARTS = {
    "yyyy": "%Y",
    "yy": "%y",
    "MM": "%m",
    "dd": "%d",
    "HH": "%H",
    "mm": "%M",
    "ss": "%S",
}


def binding_data(function: Function, value: object, instance_id: str) -> Mapping[str, Any]:
    """The values that a call's bindings may name; the names are in lower case."""
    if isinstance(value, func.HttpRequest):
        data = _of_request(value)
    elif isinstance(value, func.QueueMessage):
        data = _of_message(value)
    elif isinstance(value, func.InputStream):
        data = _of_blob(function, value)
    elif function.kind == "activity":
        given = _json(str(value))
        data = {"instanceId": instance_id, "data": given, function.trigger["name"]: given}
    else:
        data = {}
    data["sys"] = {"methodName": function.name, "utcNow": _time(""), "randGuid": _guid("")}
    return {name.lower(): each for name, each in data.items()}


def fill(template: str, data: Mapping[str, Any]) -> str:
    """Replace each `{name}` by its value. Raises ValueError as the host does."""

    def replaced(found: re.Match[str]) -> str:
        if found[0] in ("{{", "}}"):
            return found[0][0]
        name, form = found[1].strip(), found[2] or ""
        if name.lower() == "rand-guid":
            return _guid(form)
        if name.lower() == "datetime":
            return _time(form)
        return _text_of(name, data)

    return _EXPRESSION.sub(replaced, template)


def _text_of(path: str, data: Mapping[str, Any]) -> str:
    value: Any = data
    for name in path.split("."):
        fields = value if isinstance(value, Mapping) else {}
        value = next((fields[key] for key in fields if key.lower() == name.lower()), None)
    if value is None:
        raise ValueError(f"No value for named parameter '{path}'.")
    return value if isinstance(value, str) else json.dumps(value)


def _of_request(request: func.HttpRequest) -> dict[str, Any]:
    data = _fields_of(request.get_body())
    data.update({name: text for name, text in request.params.items() if name.lower() != "code"})
    data.update(request.route_params)
    return data | {"Query": dict(request.params), "Headers": dict(request.headers)}


def _of_message(message: func.QueueMessage) -> dict[str, Any]:
    own = {
        "DequeueCount": message.dequeue_count,
        "Id": message.id,
        "PopReceipt": message.pop_receipt,
        "InsertionTime": _as_text(message.insertion_time),
        "ExpirationTime": _as_text(message.expiration_time),
        "NextVisibleTime": _as_text(message.time_next_visible),
        "QueueTrigger": message.get_body().decode(errors="replace"),
    }
    return own | _fields_of(message.get_body())


def _of_blob(function: Function, blob: func.InputStream) -> dict[str, Any]:
    path = blob.name or ""
    data: dict[str, Any] = {"BlobTrigger": path, "Uri": blob.uri}
    if "path" in function.trigger:
        data |= parse_path(str(function.trigger["path"])).parts(path.partition("/")[2])
    return data


def _fields_of(body: bytes) -> dict[str, Any]:
    value = _json(body)
    return dict(value) if isinstance(value, dict) else {}


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _as_text(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _guid(form: str) -> str:
    guid = str(uuid.uuid4())
    match _GUID_FORMATS.get(form.lower(), "D"):
        case "N":
            return guid.replace("-", "")
        case "B":
            return f"{{{guid}}}"
        case "P":
            return f"({guid})"
    return guid


def _time(form: str) -> str:
    """The current time in a .NET format, by default in that of the host."""
    now = datetime.now(UTC)
    if not form:
        return now.strftime("%Y-%m-%dT%H-%M-%SZ")
    parts = re.compile("|".join(_TIME_PARTS))
    return parts.sub(lambda part: now.strftime(_TIME_PARTS[part[0]]), form)
