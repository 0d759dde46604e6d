"""Histories that were kept, replayed against the code of today.

    replayed = replay(app, history)  # what hub.history(id) gave once
    assert replayed.problems == []

A history contains everything that a replay needs; only the orchestrator of the app runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from durablehost.app.loading import table_of
from durablehost.hub.history import EXECUTION_COMPLETED, Event
from durablehost.replaying.rerun import rerun


@dataclass(frozen=True)
class Replayed:
    """The result of replaying a history with the current code."""

    status: str  # as the real host would have it: a difference that it finds is 'Failed'
    output: Any  # what it returned, or the words of its failure
    schedules: list[str]  # what it does next, such as "activity 'post_invoice'"
    problems: list[str]  # how it differs, also where the real host would not notice


def replay(app: object, recorded: Sequence[Event], *news: Event) -> Replayed:
    """Replay a history, and what came after it; `app` is the app object, its folder or a table.

    Of a history that has ended everything but the end is replayed, to be compared with it.
    """
    past = list(takewhile(lambda event: event["EventType"] != EXECUTION_COMPLETED, recorded))
    run = rerun(table_of(app), past, news)
    return Replayed(
        run.status,
        run.output,
        [task.describe() for task in run.walk.tasks.scheduled.values()],
        [problem.text for problem in run.problems],
    )
