"""External events: which there are, and what they carry.

The SDK's client delivers an event as JSON text and plain HTTP delivers the value itself, so
whoever waits for one reads it with `event_data`.
"""

import json
from typing import Any, Final, TypeVar

from pydantic import BaseModel, Field, ValidationError

from orchestration import limits

M = TypeVar("M", bound=BaseModel)

# Asks an orchestrator to clean up and end, if `on_cancel` declares that it does so.
CANCEL_EVENT: Final = "CancelRequested"

# Gives a sweep another interval.
INTERVAL_EVENT: Final = "IntervalChanged"

# Says that the goods of a delivery are there, whatever it carries.
GOODS_EVENT: Final = "GoodsArrived"

# What callers may send to /api/operations/{id}/events/{name}. CANCEL_EVENT is sent by the route
# `cancel`, which knows who listens for it. Events whose sender must prove who they are, such as
# decisions, have routes of their own.
OPEN_EVENTS: Final = frozenset({INTERVAL_EVENT, GOODS_EVENT})


class Cancellation(BaseModel):
    """What CANCEL_EVENT carries."""

    reason: str = Field(default="", max_length=limits.REASON_CHARS.most)


def cancel_reason(raw: object) -> str:
    """The reason that CANCEL_EVENT brought; empty where it brought none that can be read."""
    return (event_data(raw, Cancellation) or Cancellation()).reason


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
