"""The task hub of a host that traces: instances keep their trace, and commits make its spans.

The names and attributes of the spans are those of the Durable Task Framework.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Final

from opentelemetry.trace import SpanContext, SpanKind

from durablehost.hub import history
from durablehost.hub.backend import Decision, Instance, Message, OrchestrationWork
from durablehost.hub.history import Event, read_stamp
from durablehost.store import SqliteBackend
from durablehost.tracing.contexts import (
    child_of,
    current_context,
    of_task,
    own_of,
    parent_of,
    with_parent,
)
from durablehost.tracing.spans import Attributes, Spans

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CACHED: Final = 4096  # instances
_ENDS: Final = {
    history.TASK_COMPLETED: history.TASK_SCHEDULED,
    history.TASK_FAILED: history.TASK_SCHEDULED,
    history.SUB_ORCHESTRATION_COMPLETED: history.SUB_ORCHESTRATION_CREATED,
    history.SUB_ORCHESTRATION_FAILED: history.SUB_ORCHESTRATION_CREATED,
    history.TIMER_FIRED: history.TIMER_CREATED,
}


class TracedBackend(SqliteBackend):
    """Writes trace contexts into events, and exports the spans of what has ended."""

    def __init__(self, path: Path | str, spans: Spans) -> None:
        super().__init__(path)
        self._spans = spans
        self._own = lru_cache(_CACHED)(self._read_own)

    def own_context(self, instance_id: str, execution_id: str) -> SpanContext | None:
        """The context of an instance that has run; None if it was started without telemetry."""
        return self._own(instance_id, execution_id)

    def _read_own(self, instance_id: str, execution_id: str) -> SpanContext | None:
        start = _start_in(self.history(instance_id))
        return own_of(start) if start else None

    def create(self, instance: Instance, first: Message) -> None:
        """Make a span for the start, in the trace of the request."""
        parent = current_context()
        created = child_of(parent)
        began = _nanoseconds(instance.created)
        name = _versioned(f"create_orchestration:{instance.name}", instance.version)
        attributes = _attributes("orchestration", instance.name, instance)
        self._spans.add(name, SpanKind.PRODUCER, created, parent, began, attributes, ended=began)
        super().create(instance, with_parent(first, created))

    def send(self, message: Message) -> None:
        event = message.event
        if event.get("EventType") == history.EVENT_RAISED:
            parent = current_context()
            at = _time_of(event)
            attributes: Attributes = {
                "durabletask.type": "event",
                "durabletask.task.name": event["Name"],
                "durabletask.event.target_instance_id": message.target,
            }
            name, context = f"orchestration_event:{event['Name']}", child_of(parent)
            self._spans.add(name, SpanKind.PRODUCER, context, parent, at, attributes, ended=at)
        super().send(message)

    def commit_orchestration(self, work: OrchestrationWork, decision: Decision) -> None:
        start = start_of(work)
        if start is not None and (own := own_of(start)) is not None:
            _pass_on(start, own, decision)
            for event in work.new:
                self._add_end_of_task(own, work, event)
            if decision.instance.ended:
                self._add_orchestration(own, start, decision.instance)
        super().commit_orchestration(work, decision)

    def _add_end_of_task(self, own: SpanContext, work: OrchestrationWork, event: Event) -> None:
        """The span from the scheduling of a task to its end, if this event is the end of one."""
        kind, instance = event["EventType"], work.instance
        if kind not in _ENDS:
            return
        task_id = int(event["TimerId" if kind == history.TIMER_FIRED else "TaskScheduledId"])
        scheduled = _find(work.past, _ENDS[kind], task_id)
        if scheduled is None:
            return
        if kind == history.TIMER_FIRED:
            type_, called, name = "timer", instance.name, f"orchestration:{instance.name}:timer"
        else:
            is_activity = _ENDS[kind] == history.TASK_SCHEDULED
            type_, called = "activity" if is_activity else "orchestration", scheduled["Name"]
            name = _versioned(f"{type_}:{called}", scheduled["Version"])
        self._spans.add(
            name,
            SpanKind.INTERNAL if type_ == "timer" else SpanKind.CLIENT,
            of_task(own, instance.execution_id, task_id),
            own,
            _time_of(scheduled),
            _attributes(type_, called, instance) | {"durabletask.task.task_id": task_id},
            ended=_time_of(event),
            error=event.get("Reason"),
        )

    def _add_orchestration(self, own: SpanContext, start: Event, instance: Instance) -> None:
        status: Attributes = {"durabletask.task.status": instance.status}
        self._spans.add(
            _versioned(f"orchestration:{instance.name}", instance.version),
            SpanKind.SERVER,
            own,
            parent_of(start),
            _nanoseconds(read_stamp(start["ParentTraceContext"]["ActivityStartTime"])),
            _attributes("orchestration", instance.name, instance) | status,
            ended=_nanoseconds(instance.updated),
            error=instance.output if instance.status == "Failed" else None,
        )


def start_of(work: OrchestrationWork) -> Event | None:
    """The event that began the execution."""
    return _start_in(chain(work.past, work.new))


def _start_in(events: Iterable[Event]) -> Event | None:
    return next((each for each in events if each["EventType"] == history.EXECUTION_STARTED), None)


def _find(events: Sequence[Event], kind: int, event_id: int) -> Event | None:
    """The last event of a kind with this id."""
    for event in reversed(events):
        if event["EventType"] == kind and event["EventId"] == event_id:
            return event
    return None


def _pass_on(start: Event, own: SpanContext, decision: Decision) -> None:
    """Write the contexts of an instance into all that it starts: children and generations."""
    for number, (child, message) in enumerate(decision.children):
        assert child.parent is not None
        task = of_task(own, child.parent.execution_id, child.parent.task_id)
        decision.children[number] = child, with_parent(message, task)
    for number, message in enumerate(decision.messages):
        if message.event.get("EventType") == history.EXECUTION_STARTED:
            kept = {"ParentTraceContext": start["ParentTraceContext"]}
            decision.messages[number] = replace(message, event={**message.event, **kept})


def _attributes(type_: str, name: str, instance: Instance) -> Attributes:
    attributes: Attributes = {
        "durabletask.type": type_,
        "durabletask.task.name": name,
        "durabletask.task.instance_id": instance.id,
        "durabletask.task.execution_id": instance.execution_id,
    }
    if instance.version:
        attributes["durabletask.task.version"] = instance.version
    return attributes


def _versioned(name: str, version: str | None) -> str:
    return f"{name}@({version})" if version else name


def _time_of(event: Event) -> int:
    return _nanoseconds(read_stamp(event["Timestamp"]))


def _nanoseconds(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(microseconds=1) * 1000
