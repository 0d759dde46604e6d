"""Random orchestrators, and a world that ends what they start in any order and any batches.

A program is JSON: a list of steps, each a task or a group of tasks. One orchestrator plays them
all. Every leaf has a number of its own, by which its results can be told apart.
"""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Any

import azure.durable_functions as df
from azure.durable_functions.models.Task import TaskBase
from hypothesis import strategies as st

from durablehost.episodes.scheduled import CallActivity, CallChild, CreateTimer, Scheduled
from durablehost.hub.backend import Decision, ScheduledTask
from durablehost.hub.history import Event
from tests.durablehost.episodes.stepping import (
    LATER,
    Context,
    Episodes,
    Flow,
    app_with,
    call_of,
    child_completed,
    child_failed,
    completed,
    failed,
    fired,
    raised,
    replied,
)

Node = dict[str, Any]
Program = list[Node]
TRIES = 3


def play(context: Context) -> Flow:
    """The orchestrator of every program: do the steps in order, and say what came of each."""
    program: Any = context.get_input()
    said = []
    for step in program:
        task = task_of(context, step)
        try:
            value = yield task
        except Exception as error:
            if not step["caught"]:
                raise
            value = error
        said.append(shown(value))
        if step["cancels"]:
            cancel_timers(task)
    return said


def task_of(context: Context, node: Node) -> Any:
    number = node["number"]
    retry = df.RetryOptions(5000, TRIES)
    match node["do"]:
        case "act":
            return context.call_activity("act", number)
        case "child":
            return context.call_sub_orchestrator("child", number)
        case "act again":
            return context.call_activity_with_retry("act", retry, number)
        case "child again":
            return context.call_sub_orchestrator_with_retry("child", retry, number)
        case "timer":
            return context.create_timer(LATER)
        case "event":
            return context.wait_for_external_event(f"e{number}")
        case "entity":
            return context.call_entity(df.EntityId("counter", "k"), "get", number)
    group = context.task_all if node["do"] == "all" else context.task_any
    return group([task_of(context, child) for child in node["of"]])


def shown(value: Any) -> Any:
    if isinstance(value, TaskBase):
        return {"won": shown(value.result)}
    if isinstance(value, list):
        return [shown(inner) for inner in value]
    return str(value) if isinstance(value, Exception) else value


def cancel_timers(task: Any) -> None:
    if hasattr(task, "cancel") and not task.is_completed:
        task.cancel()
    for child in getattr(task, "children", ()):
        cancel_timers(child)


LEAVES = ("act", "child", "timer", "event", "entity")
RETRIED = ("act again", "child again")


def programs(
    *,
    groups: bool = True,
    failures: int = 0,
    failed_tries: int | None = None,
    cancels: bool = False,
) -> st.SearchStrategy[Program]:
    """Programs of up to four steps.

    `failures` is how often a plain call may fail, `failed_tries` how many tries of one that is
    tried again; None leaves those out.
    """
    leaf = _leaves(LEAVES, failures)
    if failed_tries is not None:
        leaf = leaf | _leaves(RETRIED, failed_tries)
    node = st.recursive(leaf, _groups, max_leaves=6) if groups else leaf
    flags = st.fixed_dictionaries(
        {"caught": st.booleans(), "cancels": st.booleans() if cancels else st.just(False)}
    )
    step = st.tuples(node, flags).map(lambda pair: pair[0] | pair[1])
    return st.lists(step, min_size=1, max_size=4).map(_numbered)


def _leaves(kinds: tuple[str, ...], failures: int) -> st.SearchStrategy[Node]:
    return st.fixed_dictionaries(
        {"do": st.sampled_from(kinds), "fails": st.integers(0, failures), "of": st.just([])}
    )


def _groups(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    members = st.lists(inner, min_size=1, max_size=3)
    return st.fixed_dictionaries({"do": st.sampled_from(["all", "any"]), "of": members})


def _numbered(program: Program) -> Program:
    counter = count()

    def numbered(node: Node) -> Node:
        return node | {"number": next(counter), "of": [numbered(child) for child in node["of"]]}

    return [numbered(step) for step in program]


def spared(program: Program) -> Program:
    """The program without failures in an `all` that stands in a group: the SDK fails on those."""

    def sparing(node: Node, *, in_group: bool, spare: bool) -> Node:
        spare = spare or (in_group and node["do"] == "all")
        of = [sparing(child, in_group=True, spare=spare) for child in node["of"]]
        return node | {"of": of} | ({"fails": 0} if spare else {})

    return [sparing(step, in_group=False, spare=False) for step in program]


def leaves(nodes: list[Node]) -> Iterator[Node]:
    for node in nodes:
        if node["of"]:
            yield from leaves(node["of"])
        else:
            yield node


def any_in(nodes: list[Node]) -> bool:
    return any(node["do"] == "any" or any_in(node["of"]) for node in nodes)


class World:
    """Everything outside the orchestrator: it ends what was started, as the program has it."""

    def __init__(self, program: Program) -> None:
        self._fails = {node["number"]: node["fails"] for node in leaves(program)}
        self._tried: Counter[int] = Counter()
        # events may come at any time, before they are waited for and after
        self.coming: list[Event] = [
            raised(f"e{node['number']}", f"event {node['number']}")
            for node in leaves(program)
            if node["do"] == "event"
        ]

    def take(self, decision: Decision) -> None:
        self.coming += map(self._end_of, decision.scheduled)

    def _end_of(self, item: ScheduledTask) -> Event:
        assert isinstance(item, Scheduled)
        if isinstance(item, CreateTimer):
            return fired(item.id)
        number = json.loads(item.input)
        if not isinstance(item, (CallActivity, CallChild)):
            return replied(item, f"entity {number}")
        self._tried[number] += 1
        of_activity = isinstance(item, CallActivity)
        if self._tried[number] <= self._fails[number]:
            return (failed if of_activity else child_failed)(item.id, f"failure of {number}")
        kind = "act" if of_activity else "child"
        return (completed if of_activity else child_completed)(item.id, f"{kind} {number}")


def result_of(node: Node) -> Any:
    """What a leaf that does not fail, or a group of all of such, comes to."""
    if node["do"] == "all":
        return [result_of(child) for child in node["of"]]
    kind = node["do"].removesuffix(" again")
    return None if kind == "timer" else f"{kind} {node['number']}"


def instance_of(program: Program) -> Episodes:
    return Episodes(call=CALL, input=json.dumps(program))


CALL = call_of(app_with(play))


def _kind_and_id(item: ScheduledTask) -> str:
    """Without the time of a timer, which is that of its episode."""
    assert isinstance(item, Scheduled)
    what = "" if isinstance(item, CreateTimer) else item.input
    return f"{item.id} {type(item).__name__} {what}"


def run_in_batches(program: Program, random: Random) -> tuple[Decision, list[Event], list[str]]:
    """Run a program: how it ended, the events in their order, and all it scheduled."""
    instance, world = instance_of(program), World(program)
    order: list[Event] = []
    decision = instance.begin()
    scheduled = list(map(_kind_and_id, decision.scheduled))
    world.take(decision)
    while decision.instance.status == "Running" and world.coming:
        random.shuffle(world.coming)
        size = random.randint(1, len(world.coming))
        batch, world.coming = world.coming[:size], world.coming[size:]
        order += batch
        decision = instance.next(*batch)
        scheduled += map(_kind_and_id, decision.scheduled)
        world.take(decision)
    return decision, order, scheduled


def run_one_by_one(program: Program, order: list[Event]) -> tuple[Decision, list[str]]:
    """Run a program over the same events in the same order, an episode for each."""
    instance = instance_of(program)
    decision = instance.begin()
    scheduled = list(map(_kind_and_id, decision.scheduled))
    for event in order:
        if decision.instance.status != "Running":
            break
        decision = instance.next(event)
        scheduled += map(_kind_and_id, decision.scheduled)
    return decision, scheduled
