"""Instances, entities and histories as the management API shows them."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from durablehost.hub import history
from durablehost.hub.backend import Instance
from durablehost.hub.client import state_of
from durablehost.hub.history import Event
from durablehost.hub.problems import DURABLEHOST_FAILED, Problem

_SCHEDULED_BY: Final = {
    history.TASK_COMPLETED: history.TASK_SCHEDULED,
    history.TASK_FAILED: history.TASK_SCHEDULED,
    history.SUB_ORCHESTRATION_COMPLETED: history.SUB_ORCHESTRATION_CREATED,
    history.SUB_ORCHESTRATION_FAILED: history.SUB_ORCHESTRATION_CREATED,
}
_VALUES: Final = json.JSONDecoder(parse_constant=str)
_SCHEDULING: Final = frozenset(_SCHEDULED_BY.values())
_Scheduled = dict[tuple[int, int], Event]  # by kind and number


def shown_instance(
    instance: Instance, *, with_input: bool = True, events: Sequence[Event] | None = None
) -> dict[str, Any]:
    """The status of an instance. Only a child has a parent's id; an empty version is left out."""
    shown: dict[str, Any] = {"name": instance.name}
    if instance.version:
        shown["version"] = instance.version
    shown["instanceId"] = instance.id
    if instance.parent is not None:
        shown["parentInstanceId"] = instance.parent.instance_id
    shown |= {
        "runtimeStatus": instance.status,
        "input": value_of(instance.input) if with_input else None,
        "customStatus": value_of(instance.custom_status),
        "output": value_of(instance.output),
        "createdTime": _seconds(instance.created),
        "lastUpdatedTime": _seconds(instance.updated),
    }
    if events is not None:
        shown["historyEvents"] = events
    return shown


def shown_entity(entity: Instance, *, with_state: bool) -> dict[str, Any]:
    """An entity as in a list of entities."""
    _, name, key = entity.id.split("@", 2)
    return {
        "entityId": {"name": name, "key": key},
        "lastOperationTime": _seconds(entity.updated),
        "state": value_of(state_of(entity)) if with_state else None,
    }


def shown_failure(instance: Instance, problems: Sequence[Problem]) -> dict[str, str]:
    """A member that no status of the real host has, if durablehost itself failed at an instance."""
    if instance.ended:
        return {}
    failure = next((one for one in problems if one.kind == DURABLEHOST_FAILED), None)
    return {"durablehostFailure": f"This instance {failure.text}"} if failure else {}


class UnshownHistory(Exception):
    """The real host cannot show a history in which two tasks of one kind have the same number.

    An instance has such a history after it failed because a call was renamed.
    """


def shown_history(
    events: Sequence[Event], *, with_output: bool, with_input: bool
) -> list[dict[str, Any]]:
    """A history without internal fields. The end of a task replaces the event that scheduled it.

    Raises UnshownHistory.
    """
    scheduled: _Scheduled = {}
    for event in events:
        if event["EventType"] in _SCHEDULING:
            key = event["EventType"], event["EventId"]
            if key in scheduled:
                raise UnshownHistory
            scheduled[key] = event
    ended = {_scheduled_by(event) for event in events if "TaskScheduledId" in event}
    return [
        _shown_event(event, scheduled, with_output=with_output, with_input=with_input)
        for event in events
        if event["EventType"] not in (history.ORCHESTRATOR_STARTED, history.ORCHESTRATOR_COMPLETED)
        and (event["EventType"], event["EventId"]) not in ended
    ]


def _scheduled_by(end: Event) -> tuple[int, int]:
    """The kind and the number of the event that scheduled the task of this end."""
    return _SCHEDULED_BY[end["EventType"]], end["TaskScheduledId"]


def _shown_event(
    event: Event, scheduled: _Scheduled, *, with_output: bool, with_input: bool
) -> dict[str, Any]:
    kind = event["EventType"]
    shown = {**history.without_digest(event), "EventType": history.NAMES[kind]}
    if kind == history.EXECUTION_STARTED:
        shown["FunctionName"] = shown.pop("Name")
        for hidden in ("OrchestrationInstance", "ParentInstance", "Version", "Tags"):
            del shown[hidden]
    elif kind in _SCHEDULING:
        del shown["Version"]
    elif kind == history.TIMER_FIRED:
        del shown["TimerId"]
    elif "TaskScheduledId" in shown:
        began = scheduled.get(_scheduled_by(event))
        del shown["TaskScheduledId"]
        if began is not None:
            shown["ScheduledTime"] = began["Timestamp"]
            shown["FunctionName"] = began["Name"]
            shown["Input"] = began["Input"]
            if "InstanceId" in began:
                shown["InstanceId"] = began["InstanceId"]
    if "Result" in shown:
        if with_output:
            shown["Result"] = value_of(shown["Result"])
        else:
            del shown["Result"]
    if not with_input:
        shown.pop("Input", None)
    del shown["EventId"], shown["IsPlayed"]
    return shown


def value_of(text: str | None) -> Any:
    """The value of a JSON text, or the text itself if it is not JSON.

    What is no number becomes its name, as the host has it: NaN would be no JSON in the answer.
    """
    if text is None:
        return None
    try:
        return _VALUES.decode(text)
    except (ValueError, RecursionError):
        return text


def _seconds(time: datetime) -> str:
    return time.isoformat(timespec="seconds")[:19] + "Z"
