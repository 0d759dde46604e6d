"""Runs today's code against a history, and notes what it does at each step.

Nothing of the app runs but the orchestrator. What it schedules is compared and then dropped.
"""

import inspect
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import takewhile
from typing import Any, Final

from azure.durable_functions import Orchestrator

from durablehost import sdk_patches
from durablehost.app.functions import Function, FunctionTable
from durablehost.app.source import relative_place
from durablehost.calling.threads import DaemonPool, RanTooLong
from durablehost.episodes.scheduled import KINDS, CallActivity, CallChild, SendRequest
from durablehost.episodes.sdk_replay import replay_by_sdk
from durablehost.episodes.waited_for import waits_of
from durablehost.episodes.walk import Walk
from durablehost.hub import history
from durablehost.hub.backend import Instance, OrchestrationWork
from durablehost.hub.history import Event

_WITHIN: Final = 10.0  # seconds
_LONGEST: Final = 400  # characters of a local variable
_MOST_STEPS: Final = 2000

Orchestrate = Callable[[Function, str], str]


async def run_within_limit(
    pool: DaemonPool, replay: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Run a replay on a thread, and give it up if its orchestrator does not end."""
    try:
        return await pool.run(replay, _WITHIN)
    except RanTooLong as ran:
        return {"why": f"The orchestrator did not end within {_WITHIN:.0f} s, at {ran}."}


def replayed(
    table: FunctionTable,
    orchestrate: Orchestrate,
    instance: Instance,
    events: Sequence[Event],
    now: datetime,
) -> dict[str, Any]:
    """The steps of a replay, what it schedules beside the history, and what is waited for."""
    past = list(takewhile(lambda one: one["EventType"] != history.EXECUTION_COMPLETED, events))
    function = table.orchestrator(instance.name)
    if function is None:
        return {"why": f"The app that is loaded has no orchestrator '{instance.name}'."}
    if not past:
        return {"why": "The instance has no history yet."}
    steps: list[dict[str, Any]] = []
    work = OrchestrationWork(instance, past, [*map(history.to_text, past)], [], ())
    state = replay_by_sdk(work, [], partial(orchestrate, _observed(function, steps)))
    walk = Walk(state.actions, table, instance)
    walk.follow(past)
    waits = waits_of(walk, now)
    return {
        "steps": steps,
        "compared": _compared(past, walk),
        "inputs": _inputs(past, walk),
        "outcome": state.cause or state.error,
        "waits": "" if instance.ended else str(waits),
        "awaits": [] if instance.ended else list(dict.fromkeys(waits.events)),
    }


def _observed(function: Function, steps: list[dict[str, Any]]) -> Function:
    """The function with a handler that adds a step at each yield."""
    orchestrator = getattr(function.handler, "orchestrator_function", function.user_function)
    assert orchestrator is not None, "an orchestrator has the function that its author wrote"

    def note(generator: Generator[Any, Any, Any], position: int | None) -> None:
        if len(steps) < _MOST_STEPS:
            steps.append({"event": position, "frames": _frames(generator)})

    handler = Orchestrator.create(lambda context: sdk_patches.watched(orchestrator, context, note))
    return replace(function, handler=handler)


def _frames(generator: Generator[Any, Any, Any]) -> list[dict[str, Any]]:
    """Where a generator stands: its own frame, and those of the generators it delegates to."""
    frames = []
    current: Any = generator
    while inspect.isgenerator(current) and current.gi_frame is not None:
        frame = current.gi_frame
        frames.append(
            {
                "function": frame.f_code.co_name,
                "place": relative_place(f"{frame.f_code.co_filename}:{frame.f_lineno}"),
                "locals": {name: _shown(value) for name, value in frame.f_locals.items()},
            }
        )
        current = current.gi_yieldfrom
    return frames


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception as error:  # code of the app, as the class of the value is
        return f"<its repr raised {type(error).__name__}>"
    if text.startswith(f"<{type(value).__module__}."):  # no more than an address
        return type(value).__name__
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _compared(past: Sequence[Event], walk: Walk) -> list[dict[str, Any]]:
    """What the history scheduled, and what the code schedules now in the same place."""
    matched = {id(event): scheduled for event, scheduled in walk.tasks.matched}
    rows = []
    for position, event in enumerate(past):
        kind = KINDS.get(event["EventType"])
        if kind is None:
            continue
        row = {"event": position, "recorded": kind.describe_event(event), "now": "", "differs": ""}
        if scheduled := matched.get(id(event)):
            row |= {
                "now": scheduled.describe(),
                "place": relative_place(scheduled.place),
                "differs": scheduled.unnoticed_change(event),
            }
        elif walk.fault is not None and walk.fault.event is event:
            instead = walk.fault.instead
            row |= {
                "now": instead.describe() if instead else "nothing",
                "place": relative_place(instead.place) if instead else "",
                "differs": str(walk.fault),
            }
        rows.append(row)
    return rows


def _inputs(past: Sequence[Event], walk: Walk) -> dict[int, str]:
    """The inputs of calls, by the position of their event: the history does not keep them."""
    positions = {id(event): position for position, event in enumerate(past)}
    return {
        positions[id(event)]: scheduled.input
        for event, scheduled in walk.tasks.matched
        if isinstance(scheduled, CallActivity | CallChild | SendRequest)
    }
