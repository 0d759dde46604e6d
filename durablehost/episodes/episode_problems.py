"""Finds the problems of an episode that the real host does not report."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from durablehost.app.functions import Kind, Known
from durablehost.episodes.changed_code import NonDeterministic
from durablehost.episodes.scheduled import KINDS, CreateTimer, Scheduled
from durablehost.episodes.sdk_replay import (
    STATUS_LIMIT_KB,
    OrchestratorState,
    place_of,
    status_kilobytes,
)
from durablehost.episodes.walk import Walk
from durablehost.hub import problems
from durablehost.hub.backend import OrchestrationWork
from durablehost.hub.history import Event
from durablehost.hub.problems import Problem

_KINDS: Final[dict[str, Kind]] = {
    "orchestrator": "orchestration",
    "activity": "activity",
    "entity": "entity",
}


def problems_of(
    work: OrchestrationWork,
    state: OrchestratorState,
    walk: Walk,
    table: Known,
    now: datetime,
    status: str,
) -> list[Problem]:
    """The problems of an episode after which the instance has this status."""
    found = [_unknown_function(*unknown, table) for unknown in walk.unknown]
    found += [problems.dropped_call(*dropped) for dropped in walk.dropped]
    found += _of_replay(walk, state)
    found += _of_timers(walk, now)
    if not work.past:
        found += _of_input(work.instance.input)
    found += [
        problems.event_in_other_case(sent, waited_for) for sent, waited_for in walk.events.misheard
    ]
    size = status_kilobytes(state.custom_status)
    if problems.NEAR_STATUS_LIMIT_KB <= size <= STATUS_LIMIT_KB:
        found.append(problems.big_custom_status(size))
    if status == "Running":
        found += _of_waiting(walk, state)
    return found


def _unknown_function(kind: str, name: str, place: str, table: Known) -> Problem:
    of_kind = _KINDS[kind]
    return problems.unknown_function(
        kind,
        name,
        table.durable_names(of_kind),
        left_out=table.why_left_out(of_kind, name),
        place=place,
    )


def _of_replay(walk: Walk, state: OrchestratorState) -> Iterable[Problem]:
    for event, task in walk.tasks.matched:
        if how := task.unnoticed_change(event):
            yield problems.unnoticed_change(f"{_step(event)} {how}", task.place)
            break
    if walk.fault is not None:
        yield _of_fault(walk.fault, state)


def _of_fault(fault: NonDeterministic, state: OrchestratorState) -> Problem:
    if state.raised is not None:
        return problems.replay_cut_short(state.cause or state.raised)
    if fault.instead is not None:
        return problems.replay_differs(_step(fault.event), f"has {_located(fault.instead)} there")
    return problems.replay_differs(_step(fault.event), f"does not do it: {_way_on(state)}")


def _step(event: Event) -> str:
    """An event of the history that scheduled a task."""
    words = KINDS[event["EventType"]].describe_event(event)
    return f"Step {event['EventId']} of the history, scheduled at {event['Timestamp']}, is {words}"


def _way_on(state: OrchestratorState) -> str:
    """What an orchestrator does instead of a step."""
    if state.cause is not None:
        return f"it raises {state.cause}"
    return problems.located("it ends" if state.done else "it waits", _last_place(state))


def _last_place(state: OrchestratorState) -> str:
    """The line of the last call that an orchestrator has made."""
    return place_of(state.actions[-1]) if state.actions else ""


def _located(task: Scheduled) -> str:
    return problems.located(task.describe(), task.place)


def _of_timers(walk: Walk, now: datetime) -> Iterable[Problem]:
    for timer in walk.tasks.scheduled.values():
        if isinstance(timer, CreateTimer) and 0 < (timer.fire_at - now).total_seconds() < 1:
            yield problems.short_timer(timer.fire_at, now, timer.place)


def _of_input(input_text: str | None) -> Iterable[Problem]:
    try:
        value = json.loads(input_text or "null")
    except ValueError:  # a comment, which the webhooks take for a value
        yield problems.unreadable_input(input_text)
        return
    if value is None or isinstance(value, dict):
        return
    if isinstance(value, str):
        try:
            json.loads(value)
        except (ValueError, RecursionError):
            yield problems.unreadable_input(value)
        return
    yield problems.unreadable_input(value)


def _of_waiting(walk: Walk, state: OrchestratorState) -> Iterable[Problem]:
    if state.done or state.error is not None:
        keeping = [_located(item) for item in walk.tasks.open.values()]
        if not walk.at_end:
            keeping += [f"the wait for another event '{name}'" for name in walk.events.expected]
        by_timer = any(isinstance(item, CreateTimer) for item in walk.tasks.open.values())
        yield problems.kept_running(keeping, by_timer=by_timer, raised=state.error is not None)
        return
    # A lost call is reported as such. An event can still come: under the right name after one in
    # another case, or for a wait that lost a race, when the code yields that wait again.
    can_come = walk.tasks.open or walk.events.misheard or walk.events.expected
    if walk.at_end and not (walk.stands_at_lost_call or can_come):
        yield problems.cannot_go_on(_last_place(state))
