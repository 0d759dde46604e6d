"""Checks a recording against the code of today, at every episode boundary.

A boundary is a moment at which the instance may stand when new code is deployed. What had happened
until then is replayed, and nothing new: code that is unchanged asks for nothing more. The checks
find what the real host would report, and what it would not.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from typing import Any, Final

from durablehost.app.functions import FunctionTable
from durablehost.episodes.changed_code import NonDeterministic
from durablehost.episodes.scheduled import KINDS, CreateTimer, Scheduled
from durablehost.hub import history
from durablehost.hub.history import Event, read_stamp
from durablehost.replaying.findings import Finding, step_of
from durablehost.replaying.recording import Recording
from durablehost.replaying.rerun import Rerun, rerun
from durablehost.replaying.stored_values import unreadable_values

MOST_BOUNDARIES: Final = 200
_ENDS: Final = ("Completed", "ContinuedAsNew")


def check(table: FunctionTable, recording: Recording) -> list[Finding]:
    """All that differs and is not accepted, each finding once. Raises ValueError."""
    found: dict[str, Finding] = {}
    for finding in _findings(table, recording):
        if finding.key not in recording.accepted:
            found.setdefault(finding.key, finding)
    return list(found.values())


def boundaries_of(recording: Recording) -> list[Sequence[Event]]:
    """The history up to each episode boundary: at most 200, evenly spaced, and the last one.

    Only the last one is known of a reconstructed history.
    """
    events = _before_the_end(recording.events)
    following = [event["EventType"] for event in events[1:]] + [history.ORCHESTRATOR_STARTED]
    ends = [
        number
        for number, (event, next_kind) in enumerate(zip(events, following, strict=True), 1)
        # After continue_as_new an episode is closed before the code has run.
        if event["EventType"] == history.ORCHESTRATOR_COMPLETED
        and next_kind == history.ORCHESTRATOR_STARTED
    ]
    ends = [end for end in ends if end < len(events)] + [len(events)]
    if recording.reconstructed:
        ends = ends[-1:]
    step = max(1, -(-len(ends) // MOST_BOUNDARIES))
    return [events[:end] for end in reversed(ends[::-1][::step])]


def _before_the_end(events: Sequence[Event]) -> list[Event]:
    return list(takewhile(lambda event: event["EventType"] != history.EXECUTION_COMPLETED, events))


def _findings(table: FunctionTable, recording: Recording) -> Iterator[Finding]:
    yield from unreadable_values(recording.events)
    *earlier, last = boundaries_of(recording)
    failed = False
    for past in earlier:
        run = rerun(table, past)
        found = list(_at_boundary(recording, past, run))
        yield from found
        failed = failed or run.status == "Failed"
        if failed:
            break  # later boundaries would fail for the same reason
    run = rerun(table, last)
    if recording.has_ended:
        yield from _changes_unnoticed(recording, run)
        yield from _of_failure(run, last, recording)
        yield from _of_end(recording, run)
        return
    here = list(_at_boundary(recording, last, run))
    yield from here
    if not here and not failed:
        yield from _of_state(recording, last, run)
        yield from _of_timers(table, recording, last)


def _at_boundary(recording: Recording, past: Sequence[Event], run: Rerun) -> Iterator[Finding]:
    yield from _changes_unnoticed(recording, run)
    yield from _of_failure(run, past, recording)
    yield from _of_waiting(run, past)
    if run.status in _ENDS:
        now = f"it ends as {run.status}" + (f" with {run.output}" if run.output_text else "")
        yield Finding("silent", "ends", _after(past), "it went on", now, run.last_place)
    if run.status == "Running" and run.walk.fault is None:
        for task in run.walk.tasks.scheduled.values():
            now = f"it asks for {task.describe()} here"
            key = f"step {task.id}: new"
            yield Finding("silent", key, _after(past), "nothing more", now, task.place)


def _after(past: Sequence[Event]) -> str:
    return f"the end of the episode at {past[-1]['Timestamp']} ({len(past)} events)"


def _changes_unnoticed(recording: Recording, run: Rerun) -> Iterator[Finding]:
    # Inputs may contain what was redacted, or a time, which a reconstructed history does not have.
    without_inputs = bool(recording.redacted) or recording.reconstructed
    for event, task in run.walk.tasks.matched:
        how = task.unnoticed_change(event)
        if not how or (without_inputs and "input" in how):
            continue
        if isinstance(task, CreateTimer) and recording.reconstructed:
            continue
        key = f"step {event['EventId']}: {'input' if 'input' in how else 'value'}"
        recorded = KINDS[event["EventType"]].describe_event(event)
        now = f"{task.describe()}; it was {how}"
        yield Finding("silent", key, step_of(event), recorded, now, task.place)


def _of_failure(run: Rerun, past: Sequence[Event], recording: Recording) -> Iterator[Finding]:
    fault = run.walk.fault
    if fault is not None:
        yield _of_fault(fault, run)
    elif run.status == "Failed" and recording.status != "Failed":
        raised = run.state.cause or run.output
        key = "raises"
        yield Finding("fails", key, _after(past), "it went on", f"it raises {raised}")


def _of_fault(fault: NonDeterministic, run: Rerun) -> Finding:
    event, instead = fault.event, fault.instead
    recorded = KINDS[event["EventType"]].describe_event(event)
    now, place = _instead(instead, run)
    return Finding("fails", f"step {event['EventId']}", step_of(event), recorded, now, place)


def _instead(instead: Scheduled | None, run: Rerun) -> tuple[str, str]:
    if instead is not None and run.state.raised is None:
        return f"{instead.describe()} in this place", instead.place
    if (cause := run.state.cause or run.state.raised) is not None:
        return f"it raises {cause}", ""
    return ("it ends before" if run.state.done else "it waits before"), run.last_place


def _of_waiting(run: Rerun, past: Sequence[Event]) -> Iterator[Finding]:
    for kind, name, place in run.walk.unknown:
        now = f"it calls the {kind} '{name}', which the app does not have"
        yield Finding("waits", f"unknown {kind} {name}", _after(past), "it went on", now, place)
    for name, why, place in run.walk.dropped:
        now = f"it calls '{name}', and the host drops the call: {why}"
        yield Finding("waits", f"dropped {name}", _after(past), "it went on", now, place)
    stands_still = any(problem.kind == "cannot-go-on" for problem in run.problems)
    if stands_still and not (run.walk.unknown or run.walk.dropped):
        now = "it waits for nothing that can come"
        yield Finding("waits", "cannot go on", _after(past), "it went on", now, run.last_place)


def _of_end(recording: Recording, run: Rerun) -> Iterator[Finding]:
    """Of a history that has ended: whether the code ends it as it ended then."""
    [end] = [e for e in recording.events if e["EventType"] == history.EXECUTION_COMPLETED]
    if run.status == "Failed" and end["OrchestrationStatus"] != "Failed":
        return  # which is found already
    recorded = f"it ended as {end['OrchestrationStatus']} with {_cut(end['Result'])}"
    event = f"the end, at {end['Timestamp']}"
    if run.status != end["OrchestrationStatus"]:
        asked = [task.describe() for task in run.walk.tasks.scheduled.values()]
        now = f"it asks for {asked[0]} and goes on" if asked else f"it is {run.status}"
        yield Finding("silent", "end", event, recorded, now, run.last_place)
    elif run.status == "Completed" and not recording.redacted and not _same(run, end):
        now = f"it ends with {_cut(run.output_text)}"
        yield Finding("silent", "output", event, recorded, now, run.last_place)


def _same(run: Rerun, end: Event) -> bool:
    return bool(run.output == json.loads(end["Result"] or "null"))


def _of_state(recording: Recording, past: Sequence[Event], run: Rerun) -> Iterator[Finding]:
    """What leaves no event: which tasks are waited for together, ids, the custom status."""
    if recording.steps is not None and (differ := _first_difference(recording.steps, run.steps)):
        number, was, now = differ
        place = run.state.actions[number].get("place", "") if number < len(run.steps) else ""
        yield Finding("silent", f"asked {number}", _after(past), was, now, str(place))
    if recording.uuids is not None and recording.uuids != run.uuids:
        was, now = f"{recording.uuids} calls of new_uuid", f"{run.uuids} calls of new_uuid"
        yield Finding("silent", "uuids", _after(past), was, f"{now}: all later ids differ")
    before, after = recording.custom_status, run.state.custom_status
    if not recording.redacted and before is not None and before != after:
        was, now = f"the custom status {_cut(before)}", f"the custom status {_cut(after)}"
        yield Finding("silent", "custom status", _after(past), was, now)


def _first_difference(was: Sequence[str], now: Sequence[str]) -> tuple[int, str, str] | None:
    for number in range(max(len(was), len(now))):
        one = was[number] if number < len(was) else "nothing more"
        other = now[number] if number < len(now) else "nothing more"
        if one != other:
            return number, one, other
    return None


def _of_timers(
    table: FunctionTable, recording: Recording, past: Sequence[Event]
) -> Iterator[Finding]:
    """Let the timers that run fire as recorded: code that moved one may not take it for its own."""
    if recording.reconstructed:
        return
    fired = {event["TimerId"] for event in past if event["EventType"] == history.TIMER_FIRED}
    for event in _timers(past):
        if event["EventId"] in fired:
            continue
        at = read_stamp(event["FireAt"])
        run = rerun(table, past, [history.timer_fired(at, event["EventId"], at)])
        if any(problem.kind == "cannot-go-on" for problem in run.problems):
            was, now = f"a timer for {event['FireAt']}", "it does not go on when the timer fires"
            key = f"step {event['EventId']}: timer"
            yield Finding("waits", key, step_of(event), was, now, run.last_place)


def _timers(past: Sequence[Event]) -> Iterable[Event]:
    return [event for event in past if event["EventType"] == history.TIMER_CREATED]


def _cut(value: Any, most: int = 120) -> str:
    text = str(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"
