"""What an episode can schedule, and how it stands in the history."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from durablehost.hub import history
from durablehost.hub.history import EXTENSION, Event, compact

HTTP_ACTIVITY: Final = "BuiltIn::HttpActivity"


@dataclass(frozen=True, slots=True)
class CallActivity:
    id: int
    name: str
    input: str  # JSON text


@dataclass(frozen=True, slots=True)
class CallChild:
    id: int
    name: str
    instance_id: str
    version: str | None
    input: str  # JSON text


@dataclass(frozen=True, slots=True)
class CreateTimer:
    id: int
    fire_at: datetime


@dataclass(frozen=True, slots=True)
class SendRequest:
    """An operation for an entity; its answer comes as an event named by the request's id."""

    id: int
    target: str
    operation: str
    input: str  # JSON text
    request_id: str
    signal: bool


Scheduled = CallActivity | CallChild | CreateTimer | SendRequest


def describe(item: Scheduled) -> str:
    """A few words for a person."""
    if isinstance(item, CallActivity):
        return f"activity '{item.name}'"
    if isinstance(item, CallChild):
        return f"sub-orchestration '{item.name}' ({item.instance_id})"
    if isinstance(item, CreateTimer):
        return f"the timer for {history.stamp(item.fire_at)}"
    return f"a request to {item.target}"


def as_event(item: Scheduled, now: datetime, instance_id: str, execution_id: str) -> Event:
    """The event by which a thing scheduled stands in the history."""
    if isinstance(item, CallActivity):
        return history.task_scheduled(now, item.id, item.name)
    if isinstance(item, CallChild):
        return history.sub_orchestration_created(
            now, item.id, item.name, item.version, item.instance_id
        )
    if isinstance(item, CreateTimer):
        return history.timer_created(now, item.id, item.fire_at)
    request = _request_text(item, now, instance_id, execution_id)
    return history.event_sent(now, item.id, item.target, "op", request)


def request_input(item: SendRequest) -> str:
    """An operation's input as the entity gets it: JSON text that holds JSON text."""
    return compact(item.input)


def _request_text(item: SendRequest, now: datetime, instance_id: str, execution_id: str) -> str:
    """The request message of an entity operation, as it stands in the history."""
    sent = {"signal": True} if item.signal else {}
    return compact(
        {
            "$type": f"{EXTENSION}.RequestMessage, {EXTENSION}",
            "op": item.operation,
            **sent,
            "input": request_input(item),
            "id": item.request_id,
            "parent": instance_id,
            "parentExecution": execution_id,
            "Timestamp": history.stamp(now),
            "Predecessor": "0001-01-01T00:00:00",
            "requestTime": history.stamp(now)[:-1] + "+00:00",
        }
    )
