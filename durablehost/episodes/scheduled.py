"""The kinds of task that an episode can schedule.

Each class describes its kind completely: the event in the history, what is sent when the episode is
committed, and the words for people. A new kind needs one more class here, and in `walk.py` the
action of the SDK that schedules it. `place` is the line of the orchestrator that makes the call, as
`file:line`; it is empty where none is known.
"""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Final

from durablehost.hub import history
from durablehost.hub.backend import Decision, Instance, Message, NewActivity, Parent, started
from durablehost.hub.history import EXTENSION, Event, compact

HTTP_ACTIVITY: Final = "BuiltIn::HttpActivity"
_SAME_TIME: Final = timedelta(milliseconds=1)  # the real host writes more digits than the SDK reads


@dataclass(frozen=True, slots=True)
class Sender:
    """The instance that schedules a task, at the end of its episode."""

    instance: Instance
    now: datetime
    due: Callable[[datetime, datetime], datetime]  # when a timer fires, as `Clock.due` says
    default_version: str | None


@dataclass(frozen=True, slots=True)
class Thrown:
    """Where DurableTask.Core 3.11.2 throws: the method, and its line in each case."""

    method: str
    if_missing: int  # the code schedules nothing in the place of the event
    if_replaced: int  # a task of another kind
    if_renamed: int = 0  # a task of another name, for the kinds that have one


@dataclass(frozen=True, slots=True)
class CallActivity:
    """A call of an activity, or an HTTP request as the built-in activity."""

    id: int
    name: str
    input: str  # JSON text
    place: str = field(default="", compare=False)

    recorded_by: ClassVar[int] = history.TASK_SCHEDULED
    host_class: ClassVar[str] = "ScheduleTaskOrchestratorAction"
    thrown: ClassVar[Thrown] = Thrown(
        "HandleTaskScheduledEvent(TaskScheduledEvent scheduledEvent)", 332, 342, 351
    )

    def event(self, now: datetime, instance: Instance) -> Event:
        event = history.task_scheduled(now, self.id, self.name)
        return history.with_digest(event, self.input)

    def send(self, decision: Decision, sender: Sender) -> None:
        decision.activities.append(NewActivity(self.id, self.name, self.input))

    def describe(self) -> str:
        return f"activity '{self.name}'"

    @staticmethod
    def describe_event(event: Event) -> str:
        return f"activity '{event['Name']}'"

    @staticmethod
    def host_words_if_missing(event: Event) -> str:
        return (
            f"an activity task with sequence ID {event['EventId']} and name '{event['Name']}'"
            f" (version '{event['Version']}'),"
        )

    @staticmethod
    def host_words_if_replaced(event: Event, host_class: str) -> str:
        return (
            f"an activity task with sequence number {event['EventId']} named '{event['Name']}',"
            f" but the current orchestration replay instead produced a {host_class} action"
            " with this sequence number."
        )

    def unnoticed_change(self, event: Event) -> str:
        """How the call in the history differed, where the host does not compare; empty if not."""
        return "with another input than now" if history.has_other_input(event, self.input) else ""

    def host_words_if_renamed(self, event: Event) -> str:
        return (
            f"an activity task with sequence number {event['EventId']} named '{event['Name']}',"
            " but the current orchestration replay instead scheduled an activity task named"
            f" '{self.name}' with this sequence number. "
        )


@dataclass(frozen=True, slots=True)
class CallChild:
    """A call of a sub-orchestration."""

    id: int
    name: str
    instance_id: str
    version: str | None
    input: str  # JSON text
    place: str = field(default="", compare=False)

    recorded_by: ClassVar[int] = history.SUB_ORCHESTRATION_CREATED
    host_class: ClassVar[str] = "CreateSubOrchestrationAction"
    thrown: ClassVar[Thrown] = Thrown(
        "HandleSubOrchestrationCreatedEvent(SubOrchestrationInstanceCreatedEvent"
        " subOrchestrationCreateEvent)",
        396,
        406,
        416,
    )

    def event(self, now: datetime, instance: Instance) -> Event:
        event = history.sub_orchestration_created(
            now, self.id, self.name, self.version, self.instance_id
        )
        return history.with_digest(event, self.input)

    def send(self, decision: Decision, sender: Sender) -> None:
        parent, now = sender.instance, sender.now
        child = Instance(
            id=self.instance_id,
            name=self.name,
            version=sender.default_version if self.version is None else self.version,
            execution_id=uuid.uuid4().hex,
            generation=0,
            status="Pending",
            input=compact(self.input),
            output=None,
            custom_status=None,
            created=now,
            updated=now,
            parent=Parent(parent.id, parent.execution_id, self.id, parent.name, parent.version),
        )
        decision.children.append(
            (child, Message(child.id, started(child, now), child.execution_id))
        )

    def describe(self) -> str:
        return f"sub-orchestration '{self.name}' ({self.instance_id})"

    @staticmethod
    def describe_event(event: Event) -> str:
        return f"sub-orchestration '{event['Name']}'"

    @staticmethod
    def host_words_if_missing(event: Event) -> str:
        return (
            f"a sub-orchestration task with sequence ID {event['EventId']} and name"
            f" '{event['Name']}' (version '{event['Version'] or ''}',"
            f" instance ID '{event['InstanceId']}'),"
        )

    @staticmethod
    def host_words_if_replaced(event: Event, host_class: str) -> str:
        return (
            f"{CallChild.host_words_if_missing(event)} but the current orchestration replay instead"
            f" produced a {host_class} action at this sequence number."
        )

    def unnoticed_change(self, event: Event) -> str:
        by_host = f":{self.id}"  # the end of an id that the host made
        recorded_id, given_id = event["InstanceId"], self.instance_id
        if recorded_id != given_id and not (
            recorded_id.endswith(by_host) and given_id.endswith(by_host)
        ):
            return f"with the id '{recorded_id}' instead of '{given_id}' now"
        return "with another input than now" if history.has_other_input(event, self.input) else ""

    def host_words_if_renamed(self, event: Event) -> str:
        return (
            f"{CallChild.host_words_if_missing(event)} but the current orchestration replay instead"
            f" scheduled a sub-orchestration task with name {self.name} at this sequence number."
        )


@dataclass(frozen=True, slots=True)
class CreateTimer:
    """A durable timer."""

    id: int
    fire_at: datetime
    place: str = field(default="", compare=False)

    recorded_by: ClassVar[int] = history.TIMER_CREATED
    host_class: ClassVar[str] = "CreateTimerOrchestratorAction"
    thrown: ClassVar[Thrown] = Thrown(
        "HandleTimerCreatedEvent(TimerCreatedEvent timerCreatedEvent)", 372, 381
    )

    def event(self, now: datetime, instance: Instance) -> Event:
        return history.timer_created(now, self.id, self.fire_at)

    def send(self, decision: Decision, sender: Sender) -> None:
        instance, now = sender.instance, sender.now
        fired = history.timer_fired(now, self.id, self.fire_at)
        due = sender.due(self.fire_at, now)
        decision.messages.append(Message(instance.id, fired, instance.execution_id, due))

    def describe(self) -> str:
        return f"the timer for {history.stamp(self.fire_at)}"

    @staticmethod
    def describe_event(event: Event) -> str:
        return f"the timer for {event['FireAt']}"

    def unnoticed_change(self, event: Event) -> str:
        if abs(history.read_stamp(event["FireAt"]) - self.fire_at) < _SAME_TIME:
            return ""
        return f"instead of {history.stamp(self.fire_at)} now"

    @staticmethod
    def host_words_if_missing(event: Event) -> str:
        return f"a timer task with sequence number {event['EventId']}"

    @staticmethod
    def host_words_if_replaced(event: Event, host_class: str) -> str:
        return (
            f"a timer task with sequence number {event['EventId']} named but the current"
            f" orchestration replay instead produced a {host_class} action with this sequence"
            " number."
        )


@dataclass(frozen=True, slots=True)
class SendRequest:
    """An operation for an entity. The reply comes as an event named by the request's id."""

    id: int
    target: str
    operation: str
    input: str  # JSON text
    request_id: str
    signal: bool
    place: str = field(default="", compare=False)

    recorded_by: ClassVar[int] = history.EVENT_SENT
    host_class: ClassVar[str] = "SendEventOrchestratorAction"
    thrown: ClassVar[Thrown] = Thrown(
        "HandleEventSentEvent(EventSentEvent eventSentEvent)", 432, 442
    )

    def event(self, now: datetime, instance: Instance) -> Event:
        signal = {"signal": True} if self.signal else {}
        request = compact(
            {
                "$type": f"{EXTENSION}.RequestMessage, {EXTENSION}",
                "op": self.operation,
                **signal,
                "input": self._input_for_entity(),
                "id": self.request_id,
                "parent": instance.id,
                "parentExecution": instance.execution_id,
                "Timestamp": history.stamp(now),
                "Predecessor": "0001-01-01T00:00:00",
                "requestTime": history.stamp(now)[:-1] + "+00:00",
            }
        )
        return history.event_sent(now, self.id, self.target, "op", request)

    def send(self, decision: Decision, sender: Sender) -> None:
        request = {
            "op": self.operation,
            "signal": self.signal,
            "input": self._input_for_entity(),
            "id": self.request_id,
            "parent": sender.instance.id,
            "parentExecution": sender.instance.execution_id,
        }
        decision.messages.append(Message(self.target, request))

    def _input_for_entity(self) -> str:
        """The input as the entity gets it: JSON text that holds JSON text."""
        return compact(self.input)

    def describe(self) -> str:
        return f"a request to {self.target}"

    @staticmethod
    def describe_event(event: Event) -> str:
        return f"a request to {event['InstanceId']}"

    def unnoticed_change(self, event: Event) -> str:
        request = json.loads(event["Input"])
        if event["InstanceId"] != self.target:
            return f"instead of {self.target} now"
        if request["op"] != self.operation:
            return f"for the operation '{request['op']}' instead of '{self.operation}' now"
        return (
            "with another input than now"
            if request.get("input") != self._input_for_entity()
            else ""
        )

    @staticmethod
    def host_words_if_missing(event: Event) -> str:
        return (
            f"a send event task with sequence ID {event['EventId']}, type 'EventSent' name"
            f" '{event['Name']}', instance ID '{event['InstanceId']}',"
        )

    @staticmethod
    def host_words_if_replaced(event: Event, host_class: str) -> str:
        return (
            f"a send event task with sequence ID {event['EventId']}, type 'EventSent', name"
            f" '{event['Name']}', instance ID '{event['InstanceId']}', but the current"
            f" orchestration replay instead scheduled a {host_class} task at this sequence number."
        )


Scheduled = CallActivity | CallChild | CreateTimer | SendRequest


KINDS: Final[dict[int, type[Scheduled]]] = {
    kind.recorded_by: kind for kind in (CallActivity, CallChild, CreateTimer, SendRequest)
}
