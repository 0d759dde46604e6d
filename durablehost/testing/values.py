"""Reads JSON texts of the hub as values that a test can compare."""

import json
from typing import Any


def value_of(text: str | None) -> Any:
    """The value of a JSON text; None if there is no text."""
    return None if text is None else json.loads(text)


def input_value(text: str | None) -> Any:
    """The input of an orchestration: the SDK sends JSON text in JSON, plain HTTP the value."""
    value = value_of(text)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
