"""Reconstructs a history from what the management API of a host shows of it.

The API leaves out the ids of tasks and timers, and the beginning and end of each episode. Tasks get
ids in the order in which they were scheduled, and an episode begins where results follow upon
scheduled tasks. Times of timers depend on when episodes began, so they are not to be compared.
"""

import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from durablehost.app.functions import FunctionTable
from durablehost.episodes.scheduled import CallActivity, CallChild, Scheduled
from durablehost.hub import history
from durablehost.hub.history import Event, read_stamp
from durablehost.replaying.recording import Recording, recording_of
from durablehost.replaying.rerun import rerun

Shown = dict[str, Any]

_ENDS: Final = {
    "TaskCompleted": history.TASK_COMPLETED,
    "TaskFailed": history.TASK_FAILED,
    "SubOrchestrationInstanceCompleted": history.SUB_ORCHESTRATION_COMPLETED,
    "SubOrchestrationInstanceFailed": history.SUB_ORCHESTRATION_FAILED,
}
_TASKS: Final = frozenset(
    {
        history.TASK_SCHEDULED,
        history.SUB_ORCHESTRATION_CREATED,
        history.TIMER_CREATED,
        history.EVENT_SENT,
    }
)


def reconstruct(table: FunctionTable, shown: Shown) -> Recording:
    """A recording from the status of an instance with its history. Raises ValueError, KeyError."""
    recording = reconstruct_without_code(shown)
    return replace(recording, events=_with_likely_ids(table, recording.events))


def reconstruct_without_code(shown: Shown) -> Recording:
    """The same, but tasks of one moment have ids in the order in which they are shown."""
    events = _with_episodes(_numbered(list(_in_order(shown))))
    return replace(
        recording_of(shown["instanceId"], shown["runtimeStatus"], events, shown["customStatus"]),
        reconstructed=True,
    )


def _in_order(shown: Shown) -> Iterator[Event]:
    """The events in the order of the history, with those that scheduled what has ended."""
    hidden: list[Event] = []
    listed: list[Event] = []
    for number, event in enumerate(shown["historyEvents"]):
        if event["EventType"] in _ENDS:
            start, end = _start_and_end(event, number)
            hidden.append(start)
            listed.append(end)
        else:
            listed.append(_other(event, shown))
    hidden.sort(key=_time_of)
    waiting, ends = deque(hidden), {task["Ends"] for task in hidden}
    for event in listed:
        # A task was scheduled before its end, also where both have the same time.
        while waiting and (event.get("Ends") in ends or _time_of(waiting[0]) < _time_of(event)):
            task = waiting.popleft()
            ends.remove(task["Ends"])
            yield task
        yield event


def _time_of(event: Event) -> datetime:
    return read_stamp(event["Timestamp"])


def _marks(event: Event) -> set[object]:
    """What an end and the task that it ends have in common."""
    kind = event["EventType"]
    if kind in (history.TIMER_CREATED, history.TIMER_FIRED):
        return {("timer", event["FireAt"])}
    return {event["Ends"]} if "Ends" in event else set()


def _start_and_end(shown: Shown, number: int) -> tuple[Event, Event]:
    kind = _ENDS[shown["EventType"]]
    began, ended = read_stamp(shown["ScheduledTime"]), read_stamp(shown["Timestamp"])
    name = shown["FunctionName"]
    if kind in (history.TASK_COMPLETED, history.TASK_FAILED):
        start = history.task_scheduled(began, 0, name)
    else:
        child = shown.get("InstanceId") or ""
        start = history.sub_orchestration_created(began, 0, name, None, child)
    result = None if shown.get("Result") is None else json.dumps(shown["Result"])
    end = {
        history.TASK_COMPLETED: history.task_completed(ended, 0, result),
        history.SUB_ORCHESTRATION_COMPLETED: history.sub_orchestration_completed(ended, 0, result),
    }.get(kind)
    if end is None:
        make = (
            history.task_failed if kind == history.TASK_FAILED else history.sub_orchestration_failed
        )
        end = make(ended, 0, shown.get("Reason") or "", shown.get("Details"))
    return start | {"Ends": number}, history.played(end) | {"Ends": number}


def _other(event: Shown, shown: Shown) -> Event:
    at, kind = read_stamp(event["Timestamp"]), event["EventType"]
    instance_id = shown["instanceId"]
    match kind:
        case "ExecutionStarted":
            parent_id = shown.get("parentInstanceId")
            parent = parent_id and history.parent_instance("", parent_id, "", 0, None)
            made = history.execution_started(
                at,
                instance_id=instance_id,
                execution_id=instance_id,
                name=event["FunctionName"],
                version=shown.get("version"),
                input_text=_text(event.get("Input")),
                parent=parent or None,
            )
        case "TaskScheduled":
            return history.task_scheduled(at, 0, event["Name"])
        case "SubOrchestrationInstanceCreated":
            return history.sub_orchestration_created(
                at, 0, event["Name"], None, event.get("InstanceId") or ""
            )
        case "TimerCreated":
            return history.timer_created(at, 0, read_stamp(event["FireAt"]))
        case "TimerFired":
            made = history.timer_fired(at, 0, read_stamp(event["FireAt"]))
        case "EventSent":
            sent = _text(event.get("Input")) or "{}"
            return history.event_sent(at, 0, event["InstanceId"], event["Name"], sent)
        case "EventRaised":
            made = history.event_raised(at, event["Name"], _text(event.get("Input")))
        case "ExecutionSuspended":
            made = history.execution_suspended(at, event.get("Reason") or "")
        case "ExecutionResumed":
            made = history.execution_resumed(at, event.get("Reason") or "")
        case "ExecutionTerminated":
            made = history.execution_terminated(at, event.get("Input") or "")
        case "ExecutionCompleted":
            result = _text(event.get("Result"))
            return history.execution_completed(at, 0, event["OrchestrationStatus"], result)
        case _:
            return history.generic_event(at, -1, "")
    return history.played(made)


def _text(value: Any) -> str | None:
    """The JSON text of a value that the API may show as text or parsed."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _numbered(events: Sequence[Event]) -> list[Event]:
    """Give the tasks their ids, and each end the id of its task."""
    ids: dict[object, int] = {}
    numbered, next_id = [], 0
    for event in events:
        kind = event["EventType"]
        [*marks] = _marks(event)
        rest = {key: value for key, value in event.items() if key != "Ends"}
        if kind in _TASKS:
            ids.update(dict.fromkeys(marks, next_id))
            rest["EventId"] = next_id
            next_id += 1
        elif kind == history.TIMER_FIRED:
            rest["TimerId"] = ids.get(marks[0], -1)
        elif marks:
            rest["TaskScheduledId"] = ids[marks[0]]
        numbered.append(rest)
    return numbered


def _with_episodes(events: Sequence[Event]) -> list[Event]:
    """Begin an episode at each event that follows upon scheduled tasks, and end it after them."""
    whole: list[Event] = []
    scheduling = True
    for event in events:
        is_task = event["EventType"] in _TASKS
        if scheduling and not is_task:
            at = read_stamp(event["Timestamp"])
            if whole:
                whole.append(history.orchestrator_completed(read_stamp(whole[-1]["Timestamp"])))
            whole.append(history.orchestrator_started(at))
        scheduling = is_task
        whole.append(event)
    whole.append(history.orchestrator_completed(read_stamp(whole[-1]["Timestamp"])))
    return whole


def _with_likely_ids(table: FunctionTable, events: Sequence[Event]) -> list[Event]:
    """Swap the ids of tasks that were scheduled at one moment, where the code then fits."""
    likely = list(events)
    for _ in range(len(events)):
        fault = rerun(table, _before_the_end(likely)).walk.fault
        if fault is None or fault.instead is None:
            return likely
        other = _of_the_same_moment(likely, fault.event, fault.instead)
        if other is None:
            return likely
        likely = _swapped(likely, fault.event["EventId"], other["EventId"])
    return list(events)


def _before_the_end(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if event["EventType"] != history.EXECUTION_COMPLETED]


def _of_the_same_moment(events: Sequence[Event], event: Event, wanted: Scheduled) -> Event | None:
    """A later task of the same moment that is what the code asks for."""
    name = wanted.name.lower() if isinstance(wanted, CallActivity | CallChild) else None
    for other in events:
        if (
            other["EventType"] == wanted.recorded_by
            and other["EventId"] > event["EventId"]
            and other["Timestamp"] == event["Timestamp"]
            and name in (None, str(other.get("Name")).lower())
        ):
            return other
    return None


def _swapped(events: Sequence[Event], one: int, other: int) -> list[Event]:
    swap = {one: other, other: one}
    swapped = []
    for event in events:
        for key in ("EventId", "TaskScheduledId", "TimerId"):
            if event.get(key) in swap:
                event = event | {key: swap[event[key]]}
        swapped.append(event)
    return swapped
