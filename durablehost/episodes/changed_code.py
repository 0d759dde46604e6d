"""The host's words for a history that the current code does not fit."""

from durablehost.episodes.scheduled import KINDS, Scheduled
from durablehost.hub.history import Event

_CHANGED = (
    "Was a change made to the orchestrator code after this instance had already started running?"
)


class NonDeterministic(Exception):
    """The history has a task that the current code does not schedule, or not in this place."""

    def __init__(self, words: str, event: Event, instead: Scheduled | None) -> None:
        super().__init__(
            "Non-Deterministic workflow detected: A previous execution of this orchestration"
            f" scheduled {words} {_CHANGED}"
        )
        self.event = event
        self.instead = instead


def missing(event: Event) -> NonDeterministic:
    """The history has a task that the code does not schedule."""
    words = (
        f"{KINDS[event['EventType']].host_words_if_missing(event)} but the current replay"
        " execution hasn't (yet?) scheduled this task."
    )
    return NonDeterministic(words, event, None)


def another(event: Event, instead: Scheduled) -> NonDeterministic:
    """The history has one kind of task where the code schedules another kind."""
    words = KINDS[event["EventType"]].host_words_if_replaced(event, instead.host_class)
    return NonDeterministic(words, event, instead)
