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
from durablehost.hub.backend import Instance, OrchestrationWork, Parent
from durablehost.hub.clock import ManualClock
from durablehost.hub.history import (
    EXECUTION_COMPLETED,
    EXECUTION_STARTED,
    Event,
    read_stamp,
    to_text,
)
from durablehost.settings import Settings


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
    work = _work(past, news)
    decision = run_episode(
        work,
        _orchestrator(table, work.instance.name),
        table,
        ManualClock(read_stamp([*past, *news][-1]["Timestamp"])),
        Settings(version_match="None"),
    )
    return Replayed(
        "ContinuedAsNew" if decision.new_generation else decision.instance.status,
        json.loads(decision.instance.output or "null"),
        [task.describe() for task in decision.scheduled],
        [problem.text for problem in decision.problems],
    )


def _start_of(past: Sequence[Event]) -> Event:
    for event in past:
        if event["EventType"] == EXECUTION_STARTED:
            return event
    raise ValueError("the history has no ExecutionStarted: keep all that `hub.history(id)` gives")


def _work(past: Sequence[Event], news: Sequence[Event]) -> OrchestrationWork:
    start = _start_of(past)
    began = read_stamp(start["Timestamp"])
    instance = Instance(
        id=start["OrchestrationInstance"]["InstanceId"],
        name=start["Name"],
        version=start["Version"],
        execution_id=start["OrchestrationInstance"]["ExecutionId"],
        generation=start["Generation"] or 0,
        status="Running",
        input=start["Input"],
        output=None,
        custom_status=None,
        created=began,
        updated=began,
        parent=_parent(start["ParentInstance"]) if start["ParentInstance"] else None,
    )
    return OrchestrationWork(instance, past, [to_text(event) for event in past], [*news], ())


def _parent(recorded: Event) -> Parent:
    execution = recorded["OrchestrationInstance"]
    return Parent(
        execution["InstanceId"],
        execution["ExecutionId"],
        recorded["TaskScheduleId"],
        recorded["Name"],
        recorded["Version"],
    )


def _orchestrator(table: FunctionTable, name: str) -> partial[str] | None:
    function = table.orchestrator(name)
    return partial(Invoker(own_loop=False).orchestrate, function) if function else None
