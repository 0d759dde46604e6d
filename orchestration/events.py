"""What external events carry.

The SDK's client delivers an event as JSON text and plain HTTP delivers the value itself, so
whoever waits for one reads it with `event_data`.
"""

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)


def event_value(raw: object) -> Any:
    """The value that was sent, in whichever of its two forms it arrived."""
    if not isinstance(raw, str):
        return raw
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):  # one that nests too deep
        return raw


def event_data(raw: object, kind: type[M]) -> M | None:
    """What an event carries; None if it is malformed, which its sender cannot be told any more."""
    try:
        return kind.model_validate(event_value(raw), strict=True)
    except ValidationError:
        return None
