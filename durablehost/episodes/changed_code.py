"""The host's words where a history holds what the code, as it is now, does not do."""

from durablehost.episodes.scheduled import (
    CallActivity,
    CallChild,
    CreateTimer,
    Scheduled,
    SendRequest,
)
from durablehost.hub import history
from durablehost.hub.history import Event

# The class of the real host's decision, as its texts name it.
_HOST_CLASS = {
    CallActivity: "ScheduleTaskOrchestratorAction",
    CallChild: "CreateSubOrchestrationAction",
    CreateTimer: "CreateTimerOrchestratorAction",
    SendRequest: "SendEventOrchestratorAction",
}
_CHANGED = (
    "Was a change made to the orchestrator code after this instance had already started running?"
)


class NonDeterministic(Exception):
    """History holds something the code, as it is now, does not do, or does otherwise."""

    def __init__(self, words: str, event: Event, instead: Scheduled | None) -> None:
        super().__init__(words)
        self.event = event
        self.instead = instead


def missing(event: Event) -> NonDeterministic:
    """History holds what the code does not schedule."""
    kind = event["EventType"]
    words = (
        "Non-Deterministic workflow detected: A previous execution of this orchestration scheduled"
        f" {_recorded(kind, event)} but the current replay execution hasn't (yet?) scheduled"
        f" this task. {_CHANGED}"
    )
    return NonDeterministic(words, event, None)


def another(event: Event, instead: Scheduled) -> NonDeterministic:
    """History holds one kind of thing where the code schedules another."""
    kind, host_class = event["EventType"], _HOST_CLASS[type(instead)]
    number, recorded = event["EventId"], _recorded(kind, event)
    verb, where = "produced a {} action", "with this sequence number"
    if kind == history.TASK_SCHEDULED:
        recorded = f"an activity task with sequence number {number} named '{event['Name']}',"
    elif kind == history.SUB_ORCHESTRATION_CREATED:
        where = "at this sequence number"
    elif kind == history.TIMER_CREATED:
        recorded += " named"
    else:
        recorded = recorded.replace("'EventSent' name", "'EventSent', name")
        verb, where = "scheduled a {} task", "at this sequence number"
    words = (
        "Non-Deterministic workflow detected: A previous execution of this orchestration scheduled"
        f" {recorded} but the current orchestration replay instead {verb.format(host_class)}"
        f" {where}. {_CHANGED}"
    )
    return NonDeterministic(words, event, instead)


def _recorded(kind: int, event: Event) -> str:
    """What the history says was scheduled, as the texts about a missing task have it."""
    number = event["EventId"]
    if kind == history.TASK_SCHEDULED:
        return (
            f"an activity task with sequence ID {number} and name '{event['Name']}'"
            f" (version '{event['Version']}'),"
        )
    if kind == history.SUB_ORCHESTRATION_CREATED:
        return (
            f"a sub-orchestration task with sequence ID {number} and name '{event['Name']}'"
            f" (version '{event['Version'] or ''}', instance ID '{event['InstanceId']}'),"
        )
    if kind == history.TIMER_CREATED:
        return f"a timer task with sequence number {number}"
    return (
        f"a send event task with sequence ID {number}, type 'EventSent' name '{event['Name']}',"
        f" instance ID '{event['InstanceId']}',"
    )


def described(event: Event) -> str:
    """What the history holds, in a few words for a person."""
    kind, number = event["EventType"], event["EventId"]
    if kind == history.TIMER_CREATED:
        return f"a timer as its step {number}"
    if kind == history.EVENT_SENT:
        return f"a request to {event['InstanceId']} as its step {number}"
    what = "activity" if kind == history.TASK_SCHEDULED else "sub-orchestration"
    return f"{what} '{event['Name']}' as its step {number}"
