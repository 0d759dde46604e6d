"""Runs the orchestrator of today over a history, and keeps all that it did."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import azure.durable_functions as df

from durablehost.app.functions import FunctionTable
from durablehost.calling.invoker import Invoker
from durablehost.episodes.conclusion import Conclusion
from durablehost.episodes.episode import replay_and_walk
from durablehost.episodes.episode_problems import problems_of
from durablehost.episodes.sdk_replay import OrchestratorState, place_of
from durablehost.episodes.walk import Walk
from durablehost.hub import history
from durablehost.hub.backend import Instance, OrchestrationWork, parent_of
from durablehost.hub.history import Event, read_stamp, to_text
from durablehost.hub.problems import Problem
from durablehost.replaying.recording import start_of
from durablehost.replaying.steps import steps_of


@dataclass(frozen=True)
class Rerun:
    """The result of replaying a history with the current code."""

    status: str  # as the real host would have it: a difference that it finds is 'Failed'
    output_text: str | None  # JSON: what it returned, or the words of its failure
    state: OrchestratorState
    walk: Walk
    problems: Sequence[Problem]
    uuids: int  # calls of `new_uuid`

    @property
    def output(self) -> Any:
        return json.loads(self.output_text or "null")

    @property
    def steps(self) -> list[str]:
        return steps_of(self.state.actions)

    @property
    def last_place(self) -> str:
        """The line of the last call that the orchestrator made."""
        return place_of(self.state.actions[-1]) if self.state.actions else ""


def rerun(table: FunctionTable, past: Sequence[Event], news: Sequence[Event] = ()) -> Rerun:
    """Run the orchestrator over a history and what came after it. Raises ValueError."""
    now = read_stamp([*past, *news][-1]["Timestamp"])
    work = _work(past, news)
    new = [history.orchestrator_started(now), *news] if news else []
    with _counting_uuids() as uuids:
        state, walk = replay_and_walk(work, new, _orchestrator(table, work.instance.name), table)
    ends = Conclusion(work, new, state, walk, now, now, lambda fire_at, _: fire_at, None)
    status, output = ends.status()
    problems = problems_of(work, state, walk, table, now, status)
    return Rerun(status, output, state, walk, problems, uuids())


@contextmanager
def _counting_uuids() -> Iterator[Callable[[], int]]:
    """Count the calls of `new_uuid`: each of them changes the values of all later ones."""
    calls = 0
    context_class: Any = df.DurableOrchestrationContext
    new_uuid = context_class.new_uuid

    def counted(context: df.DurableOrchestrationContext) -> str:
        nonlocal calls
        calls += 1
        return str(new_uuid(context))

    context_class.new_uuid = counted
    try:
        yield lambda: calls
    finally:
        context_class.new_uuid = new_uuid


def _work(past: Sequence[Event], news: Sequence[Event]) -> OrchestrationWork:
    start = start_of(past)
    began: datetime = read_stamp(start["Timestamp"])
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
        parent=parent_of(start),
    )
    return OrchestrationWork(instance, past, [to_text(event) for event in past], [*news], ())


def _orchestrator(table: FunctionTable, name: str) -> Callable[[str], str] | None:
    function = table.orchestrator(name)
    return partial(Invoker(own_loop=False).orchestrate, function) if function else None
