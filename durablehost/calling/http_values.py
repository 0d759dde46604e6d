"""Converts the value that an HTTP function returns."""

import json
from collections.abc import Mapping
from typing import Any

import azure.functions as func

_CONVERTER = "<class 'azure.functions.http.HttpResponseConverter'>"


def as_http_response(value: object) -> func.HttpResponse:
    """Convert a returned value to a response. Raises TypeError with the worker's message."""
    if isinstance(value, func.HttpResponse):
        return value
    if isinstance(value, str):
        return _response_of_text(value)
    raise TypeError(
        f'unable to encode outgoing TypedData: unsupported type "{_CONVERTER}" for '
        f'Python type "{type(value).__name__}"'
    )


def _response_of_text(text: str) -> func.HttpResponse:
    """The host reads a text as JSON if possible, and an object with a `body` as a response."""
    try:
        value = json.loads(text) if text else None
    except ValueError:
        return func.HttpResponse(text)
    if isinstance(value, dict):
        fields = {name.lower(): field for name, field in reversed(value.items())}
        if "body" in fields:
            return _described_response(fields)
    return func.HttpResponse(_as_dotnet_text(value))


def _described_response(fields: Mapping[str, Any]) -> func.HttpResponse:
    headers = fields.get("headers")
    headers = headers if isinstance(headers, dict) else {}
    names = {str(name): _as_dotnet_text(header) for name, header in headers.items()}
    try:
        status = int(fields.get("statuscode", fields.get("status", 200)))
    except (TypeError, ValueError):
        status = 200
    body = fields["body"]
    if isinstance(body, dict):
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    elif isinstance(body, list):
        text = "System.Collections.Generic.List`1[System.Object]"  # the host writes its class
    else:
        text = _as_dotnet_text(body)
    return func.HttpResponse(text, status_code=status, headers=names)


def _as_dotnet_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, indent=2)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
