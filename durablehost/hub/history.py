"""History events, as the real host writes them for the SDK.

Each function makes one kind of event, with the keys of the host in the host's order.
"""

import json
import zlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

Event = dict[str, Any]

EXTENSION: Final = "Microsoft.Azure.WebJobs.Extensions.DurableTask"

_COMPACT: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_INPUT_DIGEST: Final = "InputDigest"  # the one key that only durablehost writes

EXECUTION_STARTED: Final = 0
EXECUTION_COMPLETED: Final = 1
EXECUTION_TERMINATED: Final = 3
TASK_SCHEDULED: Final = 4
TASK_COMPLETED: Final = 5
TASK_FAILED: Final = 6
SUB_ORCHESTRATION_CREATED: Final = 7
SUB_ORCHESTRATION_COMPLETED: Final = 8
SUB_ORCHESTRATION_FAILED: Final = 9
TIMER_CREATED: Final = 10
TIMER_FIRED: Final = 11
ORCHESTRATOR_STARTED: Final = 12
ORCHESTRATOR_COMPLETED: Final = 13
EVENT_SENT: Final = 14
EVENT_RAISED: Final = 15
GENERIC_EVENT: Final = 17
EXECUTION_SUSPENDED: Final = 19
EXECUTION_RESUMED: Final = 20

NAMES: Final = {
    EXECUTION_STARTED: "ExecutionStarted",
    EXECUTION_COMPLETED: "ExecutionCompleted",
    EXECUTION_TERMINATED: "ExecutionTerminated",
    TASK_SCHEDULED: "TaskScheduled",
    TASK_COMPLETED: "TaskCompleted",
    TASK_FAILED: "TaskFailed",
    SUB_ORCHESTRATION_CREATED: "SubOrchestrationInstanceCreated",
    SUB_ORCHESTRATION_COMPLETED: "SubOrchestrationInstanceCompleted",
    SUB_ORCHESTRATION_FAILED: "SubOrchestrationInstanceFailed",
    TIMER_CREATED: "TimerCreated",
    TIMER_FIRED: "TimerFired",
    ORCHESTRATOR_STARTED: "OrchestratorStarted",
    ORCHESTRATOR_COMPLETED: "OrchestratorCompleted",
    EVENT_SENT: "EventSent",
    EVENT_RAISED: "EventRaised",
    GENERIC_EVENT: "GenericEvent",
    EXECUTION_SUSPENDED: "ExecutionSuspended",
    EXECUTION_RESUMED: "ExecutionResumed",
}


@lru_cache(maxsize=64)  # the events of an episode share a few times
def stamp(time: datetime) -> str:
    """A time as the host writes it."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def read_stamp(text: str) -> datetime:
    """The time of a stamp. Its seconds may have any number of digits."""
    whole, _, rest = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{rest[:6]:0<6}+00:00")


def compact(value: Any) -> str:
    """JSON as the host writes it: without blanks and without unnecessary escapes."""
    return as_stored(_COMPACT.encode(value))


def as_stored(text: str) -> str:
    """A text as .NET writes it: half of a surrogate pair is replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def failed_function(words: str) -> Event:
    """The host's own exception, which callers of a disabled function get."""
    name = f"{EXTENSION}.FunctionFailedException"
    return {
        "$type": f"{name}, {EXTENSION}",
        "ClassName": name,
        "Message": words,
        "Data": None,
        "InnerException": None,
    }


def to_text(event: Event) -> str:
    return json.dumps(event)


def size_of(event: Event) -> int:
    """How many characters the values of an event have, roughly."""
    return sum(len(value) for value in event.values() if isinstance(value, str))


def with_digest(event: Event, input_text: str) -> Event:
    """The event of a call, with a digest of the input.

    The host keeps no inputs in the history. durablehost keeps digests, to notice changed inputs.
    """
    return event | {_INPUT_DIGEST: _digest(input_text)}


def without_digest(event: Event) -> Event:
    """The event as the host shows it."""
    return {key: value for key, value in event.items() if key != _INPUT_DIGEST}


def has_other_input(event: Event, input_text: str) -> bool:
    """Whether a call had another input. A history of the real host does not tell."""
    recorded = event.get(_INPUT_DIGEST)
    return recorded is not None and recorded != _digest(input_text)


def _digest(text: str) -> str:
    return f"{zlib.crc32(text.encode(errors='surrogatepass')):08x}"


def played(event: Event) -> Event:
    """The event as later episodes see it. The host never marks the start of an episode."""
    return event if event["EventType"] == ORCHESTRATOR_STARTED else {**event, "IsPlayed": True}


def _event(kind: int, at: datetime, fields: Event, event_id: int = -1) -> Event:
    return {
        "EventType": kind,
        **fields,
        "EventId": event_id,
        "IsPlayed": False,
        "Timestamp": stamp(at),
    }


def execution_started(
    at: datetime,
    *,
    instance_id: str,
    execution_id: str,
    name: str,
    version: str | None,
    input_text: str | None,
    parent: Event | None = None,
    generation: int | None = 0,
) -> Event:
    return {
        "OrchestrationInstance": {"InstanceId": instance_id, "ExecutionId": execution_id},
        "EventType": EXECUTION_STARTED,
        "ParentInstance": parent,
        "Name": name,
        "Version": version,
        "Input": input_text,
        "Tags": None,
        "Correlation": None,
        "ParentTraceContext": None,
        "ScheduledStartTime": None,
        "Generation": generation,
        "GenerateNewTrace": False,
        "EventId": -1,
        "IsPlayed": False,
        "Timestamp": stamp(at),
    }


def parent_instance(
    name: str, instance_id: str, execution_id: str, task_id: int, version: str | None
) -> Event:
    return {
        "Name": name,
        "OrchestrationInstance": {"InstanceId": instance_id, "ExecutionId": execution_id},
        "TaskScheduleId": task_id,
        "Version": version,
    }


def execution_completed(at: datetime, event_id: int, status: str, result: str | None) -> Event:
    return _event(
        EXECUTION_COMPLETED,
        at,
        {"OrchestrationStatus": status, "Result": result, "FailureDetails": None},
        event_id,
    )


def execution_terminated(at: datetime, reason: str) -> Event:
    return _event(EXECUTION_TERMINATED, at, {"Input": reason})


def execution_suspended(at: datetime, reason: str) -> Event:
    return _event(EXECUTION_SUSPENDED, at, {"Reason": reason})


def execution_resumed(at: datetime, reason: str) -> Event:
    return _event(EXECUTION_RESUMED, at, {"Reason": reason})


def orchestrator_started(at: datetime) -> Event:
    return _event(ORCHESTRATOR_STARTED, at, {})


def orchestrator_completed(at: datetime) -> Event:
    return _event(ORCHESTRATOR_COMPLETED, at, {})


def task_scheduled(at: datetime, event_id: int, name: str) -> Event:
    fields = {"Name": name, "Version": "", "Input": None, "ParentTraceContext": None, "Tags": None}
    return _event(TASK_SCHEDULED, at, fields, event_id)


def task_completed(at: datetime, task_id: int, result: str | None) -> Event:
    return _event(TASK_COMPLETED, at, {"TaskScheduledId": task_id, "Result": result})


def task_failed(at: datetime, task_id: int, reason: str, details: str | None) -> Event:
    return _event(TASK_FAILED, at, _failure(task_id, reason, details))


def sub_orchestration_created(
    at: datetime, event_id: int, name: str, version: str | None, instance_id: str
) -> Event:
    fields = {
        "Name": name,
        "Version": version,
        "InstanceId": instance_id,
        "Input": None,
        "ClientSpanId": None,
        "Tags": None,
    }
    return _event(SUB_ORCHESTRATION_CREATED, at, fields, event_id)


def sub_orchestration_completed(at: datetime, task_id: int, result: str | None) -> Event:
    return _event(SUB_ORCHESTRATION_COMPLETED, at, {"TaskScheduledId": task_id, "Result": result})


def sub_orchestration_failed(
    at: datetime, task_id: int, reason: str | None, details: str | None
) -> Event:
    return _event(SUB_ORCHESTRATION_FAILED, at, _failure(task_id, reason, details))


def _failure(task_id: int, reason: str | None, details: str | None) -> Event:
    return {
        "TaskScheduledId": task_id,
        "Reason": reason,
        "Details": details,
        "FailureDetails": None,
    }


def timer_created(at: datetime, event_id: int, fire_at: datetime) -> Event:
    return _event(TIMER_CREATED, at, {"FireAt": stamp(fire_at)}, event_id)


def timer_fired(at: datetime, timer_id: int, fire_at: datetime) -> Event:
    return _event(TIMER_FIRED, at, {"TimerId": timer_id, "FireAt": stamp(fire_at)})


def event_sent(at: datetime, event_id: int, target: str, name: str, input_text: str) -> Event:
    return _event(
        EVENT_SENT, at, {"InstanceId": target, "Name": name, "Input": input_text}, event_id
    )


def event_raised(at: datetime, name: str, input_text: str | None) -> Event:
    fields = {"Name": name, "Input": input_text, "ParentTraceContext": None}
    return _event(EVENT_RAISED, at, fields)


def generic_event(at: datetime, event_id: int, data: str) -> Event:
    return _event(GENERIC_EVENT, at, {"Data": data}, event_id)
