"""Histories that were kept as files, replayed against the code of today.

    history = json.loads(Path("approval-1.0.json").read_text())  # what hub.history(id) gave once
    replayed = replay(app, history)
    assert replayed.problems == []

A history holds all that a replay needs; nothing of the app is run but its orchestrator.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import Any

from durablehost.app.functions import FunctionTable
from durablehost.app.loading import table_of
from durablehost.calling.invoker import Invoker
from durablehost.episodes.episode import run_episode
from durablehost.episodes.scheduled import describe
from durablehost.episodes.sdk_turn import Turn
from durablehost.hub.history import (
    EXECUTION_COMPLETED,
    EXECUTION_STARTED,
    Event,
    read_stamp,
    to_text,
)


@dataclass(frozen=True)
class Replayed:
    """Where the code of today comes to on a history."""

    status: str  # as the real host would have it: a difference that it finds is 'Failed'
    output: Any  # what it returned, or the words of its failure
    schedules: list[str]  # what it does next, such as "activity 'post_invoice'"
    problems: list[str]  # how it differs, also where the real host would not notice


def replay(app: object, recorded: Sequence[Event], *news: Event) -> Replayed:
    """Replay a history, and what came after it; `app` is the app object, its folder or a table.

    Of a history that has ended everything but the end is replayed, to be compared with it.
    """
    table = table_of(app)
    past = list(takewhile(lambda event: event["EventType"] != EXECUTION_COMPLETED, recorded))
    decision = run_episode(_turn(past, news), _orchestrator(table, _start_of(past)["Name"]), table)
    return Replayed(
        decision.status,
        json.loads(decision.output or "null"),
        [describe(item) for item in decision.scheduled],
        [problem.text for problem in decision.problems],
    )


def _start_of(past: Sequence[Event]) -> Event:
    for event in past:
        if event["EventType"] == EXECUTION_STARTED:
            return event
    raise ValueError("the history has no ExecutionStarted: keep all that `hub.history(id)` gives")


def _turn(past: Sequence[Event], news: Sequence[Event]) -> Turn:
    start = _start_of(past)
    parent = start["ParentInstance"]
    return Turn(
        instance_id=start["OrchestrationInstance"]["InstanceId"],
        execution_id=start["OrchestrationInstance"]["ExecutionId"],
        name=start["Name"],
        input=start["Input"],
        parent_id=parent["OrchestrationInstance"]["InstanceId"] if parent else None,
        generation=start["Generation"],
        custom_status=None,
        past=past,
        past_texts=[to_text(event) for event in past],
        new=news,
        now=read_stamp([*past, *news][-1]["Timestamp"]),
    )


def _orchestrator(table: FunctionTable, name: str) -> partial[str] | None:
    function = table.orchestrator(name)
    return partial(Invoker(own_loop=False).orchestrate, function) if function else None
