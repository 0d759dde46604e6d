"""Instances, entities and histories as the management API shows them."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from durablehost.hub import history
from durablehost.hub.backend import Instance
from durablehost.hub.client import state_of
from durablehost.hub.history import Event


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
    """An entity, as a list of them shows it."""
    _, name, key = entity.id.split("@", 2)
    return {
        "entityId": {"name": name, "key": key},
        "lastOperationTime": _seconds(entity.updated),
        "state": value_of(state_of(entity)) if with_state else None,
    }


def shown_history(
    events: Sequence[Event], *, with_output: bool, with_input: bool
) -> list[dict[str, Any]]:
    """A history without what only the host needs; an end stands for what scheduled it."""
    scheduled = {
        event["EventId"]: event
        for event in events
        if event["EventType"] in (history.TASK_SCHEDULED, history.SUB_ORCHESTRATION_CREATED)
    }
    ended = {event["TaskScheduledId"] for event in events if "TaskScheduledId" in event}
    return [
        _shown_event(event, scheduled, with_output=with_output, with_input=with_input)
        for event in events
        if event["EventType"] not in (history.ORCHESTRATOR_STARTED, history.ORCHESTRATOR_COMPLETED)
        and not (event["EventId"] in ended and scheduled.get(event["EventId"]) is event)
    ]


def _shown_event(
    event: Event, scheduled: dict[int, Event], *, with_output: bool, with_input: bool
) -> dict[str, Any]:
    kind = event["EventType"]
    shown = {**event, "EventType": history.NAMES[kind]}
    if kind == history.EXECUTION_STARTED:
        shown["FunctionName"] = shown.pop("Name")
        for hidden in ("OrchestrationInstance", "ParentInstance", "Version", "Tags"):
            del shown[hidden]
    elif kind in (history.TASK_SCHEDULED, history.SUB_ORCHESTRATION_CREATED):
        del shown["Version"]
    elif kind == history.TIMER_FIRED:
        del shown["TimerId"]
    elif "TaskScheduledId" in shown:
        began = scheduled.get(shown.pop("TaskScheduledId"))
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
    """The JSON a text holds; words that hold none stand for themselves.

    What is no number becomes its name, as the host has it: NaN would be no JSON in the answer.
    """
    if text is None:
        return None
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text


def _seconds(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
