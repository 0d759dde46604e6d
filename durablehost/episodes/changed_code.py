"""The host's words for a history that the current code does not fit.

At each place of the history the host compares the kind of task, and the name of an activity or a
child, with what the code schedules. It compares nothing else.
"""

from typing import Final

from durablehost.episodes.scheduled import KINDS, CallActivity, CallChild, Scheduled
from durablehost.hub.history import Event

_CHANGED: Final = (
    "Was a change made to the orchestrator code after this instance had already started running?"
)


class NonDeterministic(Exception):
    """The history has a task that the current code does not schedule, or not in this place."""

    def __init__(self, words: str, event: Event, instead: Scheduled | None, line: int) -> None:
        super().__init__(
            "Non-Deterministic workflow detected: A previous execution of this orchestration"
            f" scheduled {words} {_CHANGED}"
        )
        self.event = event
        self.instead = instead
        self._line = line

    def details(self) -> str:
        """What a parent receives as the details of the failure: the host's stack trace."""
        method = KINDS[self.event["EventType"]].thrown.method
        stack = (
            f"   at DurableTask.Core.TaskOrchestrationContext.{method}"
            f" in /_/src/DurableTask.Core/TaskOrchestrationContext.cs:line {self._line}\n"
            "   at DurableTask.Core.TaskOrchestrationExecutor.ExecuteCore(IEnumerable`1 pastEvents,"
            " IEnumerable`1 newEvents)"
            " in /_/src/DurableTask.Core/TaskOrchestrationExecutor.cs:line 169"
        )
        return (
            "Unhandled exception while executing orchestration:"
            " DurableTask.Core.Exceptions.NonDeterministicOrchestrationException:"
            f" {self}\n{stack}\n\t{stack}"
        )


def compare(event: Event, scheduled: Scheduled | None) -> Scheduled:
    """Return what the code schedules in the place of this event. Raises NonDeterministic."""
    kind = KINDS[event["EventType"]]
    if scheduled is None:
        words = (
            f"{kind.host_words_if_missing(event)} but the current replay execution hasn't (yet?)"
            " scheduled this task."
        )
        raise NonDeterministic(words, event, None, kind.thrown.if_missing)
    if not isinstance(scheduled, kind):
        words = kind.host_words_if_replaced(event, scheduled.host_class)
        raise NonDeterministic(words, event, scheduled, kind.thrown.if_replaced)
    if isinstance(scheduled, CallActivity | CallChild) and _differ(event["Name"], scheduled.name):
        words = scheduled.host_words_if_renamed(event)
        raise NonDeterministic(words, event, scheduled, kind.thrown.if_renamed)
    return scheduled


def _differ(one: str, other: str) -> bool:
    return one.lower() != other.lower()
