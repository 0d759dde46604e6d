"""Finds the problems of an episode that the real host does not report."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from durablehost.app.functions import Kind, Known
from durablehost.episodes.changed_code import NonDeterministic
from durablehost.episodes.scheduled import KINDS, CreateTimer
from durablehost.episodes.sdk_replay import STATUS_LIMIT_KB, OrchestratorState, status_kilobytes
from durablehost.episodes.walk import Walk
from durablehost.hub import problems
from durablehost.hub.backend import OrchestrationWork
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
    found = [_unknown_function(kind, name, table) for kind, name in walk.unknown]
    found += [problems.dropped_call(name, why) for name, why in walk.dropped]
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


def _unknown_function(kind: str, name: str, table: Known) -> Problem:
    of_kind = _KINDS[kind]
    return problems.unknown_function(
        kind, name, table.durable_names(of_kind), table.why_left_out(of_kind, name)
    )


def _of_replay(walk: Walk, state: OrchestratorState) -> Iterable[Problem]:
    if walk.fault is not None:
        yield _of_fault(walk.fault, state)


def _of_fault(fault: NonDeterministic, state: OrchestratorState) -> Problem:
    if state.raised is not None:
        return problems.replay_cut_short(state.raised)
    had = KINDS[fault.event["EventType"]].describe_event(fault.event)
    does = "does not do it" if fault.instead is None else f"has {fault.instead.describe()} there"
    return problems.replay_differs(had, does)


def _of_timers(walk: Walk, now: datetime) -> Iterable[Problem]:
    for timer in walk.tasks.scheduled.values():
        if isinstance(timer, CreateTimer) and 0 < (timer.fire_at - now).total_seconds() < 1:
            yield problems.short_timer(timer.fire_at, now)


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
        keeping = [item.describe() for item in walk.tasks.open.values()]
        if not walk.at_end:
            keeping += [f"the wait for another event '{name}'" for name in walk.events.expected]
        by_timer = any(isinstance(item, CreateTimer) for item in walk.tasks.open.values())
        yield problems.kept_running(keeping, by_timer=by_timer)
        return
    # An event can still come: under the right name after one in another case, or for a wait that
    # lost a race, when the code yields that wait again.
    waits_again = bool(walk.events.expected) and not (walk.unknown or walk.dropped)
    if walk.at_end and not (walk.tasks.open or walk.events.misheard or waits_again):
        yield problems.cannot_go_on()
