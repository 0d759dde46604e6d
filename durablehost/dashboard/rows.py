"""The events of a history as rows of a table."""

from collections.abc import Mapping
from typing import Any, Final

from durablehost.hub import history
from durablehost.hub.history import Event

_LONGEST: Final = 20_000  # characters of a value; the management API has all of it
_NUMBERS: Final = {name: kind for kind, name in history.NAMES.items()}


def row_of(event: Event) -> dict[str, Any]:
    """An event as the hub has it."""
    return _row(history.NAMES[event["EventType"]], event, event.get("EventId", -1))


def row_of_shown(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event as the management API shows it; the end of a task has the name and the input."""
    row = _row(str(event["EventType"]), event, -1)
    return row | {"scheduled": event.get("ScheduledTime")}


def is_known(event: Mapping[str, Any]) -> bool:
    """Whether this looks like an event of a history, in either form."""
    kind = event.get("EventType")
    return kind in history.NAMES or kind in _NUMBERS


def _row(kind: str, event: Mapping[str, Any], event_id: int) -> dict[str, Any]:
    row = {
        "kind": kind,
        "at": event.get("Timestamp"),
        "id": event_id,
        "task": event.get("TaskScheduledId", event.get("TimerId")),
        "name": event.get("Name", event.get("FunctionName")),
        "instance": event.get("InstanceId"),
        "fireAt": event.get("FireAt"),
        "status": event.get("OrchestrationStatus"),
        "input": _cut(event.get("Input")),
        "result": _cut(event.get("Result")),
        "reason": _cut(event.get("Reason")),
    }
    return {key: value for key, value in row.items() if value is not None}


def _cut(value: Any) -> Any:
    text = value if value is None or isinstance(value, str) else history.compact(value)
    if text is None or len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}… ({len(text)} characters)"
