"""The problems durablehost reports and the real host does not, each with advice."""

import difflib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from durablehost.app.source import relative_place

NEAR_STATUS_LIMIT_KB = 14
DURABLEHOST_FAILED = "durablehost-failed"
_NAMES_SHOWN = 6
HOLD_UP = frozenset({"runs-long", "timed-out"})  # the kinds that held up other instances
_CHANGED = (
    "If the code was changed: give the change a new version and branch by `context.version`,"
    " rename the changed orchestrator, or let the running instances end first. If it was not"
    " changed: look for clocks, random values, settings and files in the orchestrator, and for a"
    " call with retry in a `task_any`."
)
# An instance with one of these waits for ever, and so does its parent.
STUCK = frozenset(
    {
        "unknown-function",
        "dropped-call",
        "cannot-go-on",
        "version-mismatch",
        "runs-long",
        DURABLEHOST_FAILED,
    }
)


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of an instance. The hub keeps one for each kind and subject."""

    kind: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class StoredProblem(Problem):
    """A problem as the hub keeps it: with its instance, and when it was first noticed."""

    instance_id: str
    at: datetime


def unknown_function(
    kind: str, name: str, known: Iterable[str], *, left_out: str = "", place: str = ""
) -> Problem:
    name = _shorten(name)
    why = f"It was left out: {left_out}" if left_out else _which_there_are(kind, name, known)
    call = located(f"calls the {kind} '{name}'", place)
    return Problem(
        "unknown-function",
        f"{kind} {name}",
        f"{call}, which the app does not have. As on Azure, the instance waits for ever. {why}",
    )


def _which_there_are(kind: str, name: str, known: Iterable[str]) -> str:
    names = {one.lower(): one for one in known}
    likely = difflib.get_close_matches(name.lower(), names, n=1)
    did_you_mean = f"Did you mean '{names[likely[0]]}'? " if likely else ""
    return f"{did_you_mean}Known {_plural(kind)}: {_listed(name, names)}."


def _listed(name: str, names: Mapping[str, str]) -> str:
    """All names if there are few, else those most similar to the name in the call."""
    if not names:
        return "none"
    nearest = difflib.get_close_matches(name.lower(), names, n=_NAMES_SHOWN, cutoff=0)
    shown = names if len(names) <= _NAMES_SHOWN else nearest
    listed = ", ".join(f"'{names[one]}'" for one in shown)
    more = len(names) - len(shown)
    return f"{listed} and {more} more (GET /admin/functions lists them)" if more else listed


def _plural(kind: str) -> str:
    return {"activity": "activities", "entity": "entities"}.get(kind, kind + "s")


def dropped_call(name: str, why: str, place: str) -> Problem:
    name = _shorten(name)
    call = located(f"calls '{name}'", place)
    return Problem(
        "dropped-call",
        name,
        f"{call}, but the host drops the call and reports nothing: {why}."
        " As on Azure, the instance waits for ever.",
    )


def cannot_go_on(place: str) -> Problem:
    return Problem(
        "cannot-go-on",
        "",
        f"cannot go on: {located('it has not returned', place)}, and nothing that it waits for can"
        " come. Look for a call of a function that the app does not have, for an event name in"
        " another spelling, or for a `yield` of None.",
    )


def kept_running(by: Iterable[str], *, by_timer: bool, raised: bool) -> Problem:
    """`by_timer` tells the timers that were not cancelled from what ends by itself."""
    counted = sorted(Counter(by).items())
    kept_by = ", ".join(f"{one} ({times} times)" if times > 1 else one for one, times in counted)
    cancel = " Cancel timers that are not needed any more (`timer.cancel()`)." if by_timer else ""
    return Problem(
        "kept-running",
        "timer" if by_timer else "",
        f"has {'raised' if raised else 'returned'}, but stays Running until this ends: {kept_by}."
        f"{cancel} Activities and children cannot be cancelled.",
    )


def event_in_other_case(name: str, waited_for: str) -> Problem:
    return Problem(
        "event-name-case",
        name,
        f"was sent the event '{name}' but waits for '{waited_for}'. Case matters in event names:"
        f" the event is used up, and the orchestrator still waits. Send '{waited_for}'.",
    )


def short_timer(fire_at: datetime, now: datetime, place: str) -> Problem:
    seconds = (fire_at - now).total_seconds()
    timer = located(f"set a timer for {max(seconds, 0):.3g} s", place)
    return Problem(
        "short-timer",
        "",
        f"{timer}. Azure Storage rounds delays down to whole seconds: less than"
        " one second is no delay, and a loop of such timers runs without a pause. Use at least two"
        " seconds.",
    )


def failed(why: str) -> Problem:
    """A failed instance. The hub does not keep it, because the status says it."""
    return Problem("failed", "", f"failed: {why}")


def replay_differs(step: str, code_does: str) -> Problem:
    return Problem(
        "replay-differs",
        "",
        "has failed, because its orchestrator does not do what its history says."
        f" {step}; the code now {code_does}. {_CHANGED}",
    )


def unnoticed_change(step: str, place: str) -> Problem:
    return Problem(
        "unnoticed-change",
        "",
        "goes on, although its orchestrator does not do what its history says."
        f" {located(step, place)}. The host compares only kinds and names, so the code receives the"
        f" result of the earlier call. {_CHANGED}",
    )


def stuck_child(instance_id: str, name: str, problem: Problem) -> Problem:
    return Problem(
        "stuck-child",
        instance_id,
        f"waits for its child '{instance_id}' ({name}), which {problem.text}",
    )


def stuck_entity(entity_id: str, problem: Problem) -> Problem:
    return Problem(
        "stuck-entity",
        entity_id,
        f"waits for the entity '{entity_id}', which {problem.text}",
    )


def replay_cut_short(raised: str) -> Problem:
    return Problem(
        "replay-cut-short",
        "",
        "failed without telling the host which calls it had made. As on Azure the output says"
        f" 'Non-Deterministic workflow detected' and hides the cause: {raised}",
    )


def runs_long(function: str, seconds: float, place: str, *, is_entity: bool) -> Problem:
    end_it = "Purge the entity, whose operations are then lost" if is_entity else "Terminate it"
    return Problem(
        "runs-long",
        function,
        f"has run for {seconds:.0f} s without a pause, at {place}. The code of {function} loops or"
        " blocks: look for a loop without a `yield`, or for a call that waits. Meanwhile no other"
        f" instance of {function} goes on; all else does. {end_it}, or correct the code and"
        " start durablehost again (with --reload it does so itself).",
    )


def stopped_by_timeout(function: str, limit: timedelta, place: str) -> Problem:
    return Problem(
        "timed-out",
        function,
        f"ran for longer than functionTimeout ({limit}), at {place}, and was stopped. As on Azure"
        " the instance stays Running, but Azure says nothing and runs the code again and again."
        " Here it runs again when a message arrives, or after the next start. Correct the code, or"
        " terminate the instance.",
    )


def failed_outside_operation(operation: str, words: str) -> Problem:
    return Problem(
        "entity-failed",
        operation,
        f"failed outside its function at the operation '{operation}': {words}. The operation had no"
        " effect and its caller gets the error. Look for a state or a result that is not JSON. As"
        " on Azure the operations that were sent together are tried again; there this one fails"
        " them all each time.",
    )


def durablehost_failed(error: BaseException) -> Problem:
    return Problem(
        DURABLEHOST_FAILED,
        "",
        f"was set aside because durablehost itself failed at it: {type(error).__name__}: {error}."
        " This is not a mistake of the app: please report it, with the console's traceback. The"
        " instance is tried again when a message for it arrives, and at the next start. It can be"
        " terminated and purged.",
    )


def unreadable_input(value: Any) -> Problem:
    shown = json.dumps(value)
    return Problem(
        "unreadable-input",
        "",
        f"was started by plain HTTP with {_shorten(shown)}, which `context.get_input()` cannot"
        " read. It reads only objects, and strings that contain JSON. Start the instance in a"
        " function of the app with `client.start_new(..., client_input=...)`.",
    )


def unreadable_signal(operation: str, value_text: str | None) -> Problem:
    if value_text:
        was = f"with {_shorten(value_text)} by plain HTTP"
        advised = "Send it through the SDK's client"
    else:
        was = "without an input"
        advised = "Read the input only in the operations that have one"
    return Problem(
        "unreadable-signal",
        operation,
        f"received the signal '{operation}' {was}. Its `context.get_input()` raised, and the"
        f" operation had no effect. {advised}.",
    )


def big_custom_status(kilobytes: int) -> Problem:
    return Problem(
        "custom-status-size",
        "",
        f"has a custom status of {kilobytes} KB. At 16 KB (as UTF-16) the orchestration fails:"
        " keep large data in a blob and its name in the status.",
    )


def version_never_runs(version: str | None, here: str | None, strategy: str) -> Problem:
    return Problem(
        "version-mismatch",
        "",
        f"has version {version!r} and stays Pending: host.json's defaultVersion is {here!r} and"
        f" versionMatchStrategy is {strategy}. Raise defaultVersion, start it with a version"
        " that this app takes, or terminate it.",
    )


def located(words: str, place: str) -> str:
    """Words about a call, with its place in the orchestrator if that is known."""
    return f"{words} ({relative_place(place)})" if place else words


def _shorten(text: str, most: int = 100) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
