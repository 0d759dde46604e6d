"""Has the SDK replay an orchestrator over its history, and reads what it returns."""

import json
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from durablehost.app.source import last_place
from durablehost.hub.backend import OrchestrationWork
from durablehost.hub.history import Event, compact

Action = dict[str, Any]

STATUS_LIMIT_KB: Final = 16

_ERROR_LABEL: Final = "\n\n$OutOfProcData$:"
_CONSTANTS: Final = (
    '"upperSchemaVersion": 1, "upperSchemaVersionNew": 3,'
    ' "longRunningTimerIntervalDuration": "3.00:00:00",'
    ' "maximumShortTimerDuration": "6.00:00:00",'
    ' "defaultHttpAsyncRequestSleepTimeMillseconds": 30000'
)


@dataclass(frozen=True, slots=True)
class OrchestratorState:
    """What the SDK returned: the actions so far, and how far the orchestrator got."""

    actions: list[Action]
    done: bool
    output: Any = None
    error: str | None = None
    custom_status: Any = None
    raised: str | None = None  # the message of a failure without actions
    is_refused: bool = False  # the host has no such orchestrator, or it is disabled
    cause: str | None = None  # what the orchestrator raised, and where


def replay_by_sdk(
    work: OrchestrationWork, new: Sequence[Event], orchestrate: Callable[[str], str]
) -> OrchestratorState:
    """Run the orchestrator over the instance's past and these new events."""
    name, cause = work.instance.name, None
    try:
        state = read_actions(orchestrate(_body(work, new)))
    except Exception as error:  # any exception of the app fails the orchestration
        words = _words_of(error)
        told, _, state_text = words.partition(_ERROR_LABEL)
        cause = _cause(error, told)
        trusted = _state_of_failure(state_text)
        if trusted is None:
            return replace(failed(name, _bare_failure(error, words), told), cause=cause)
        state = trusted
    status = state.get("customStatus")
    if (size := status_kilobytes(status)) > STATUS_LIMIT_KB:
        return failed(
            name,
            "The UTF-16 size of the JSON-serialized payload must not exceed 16 KB."
            f" The current payload size is {size} KB.",
        )
    error_text = state.get("error")
    return OrchestratorState(
        state["actions"][0],
        state["isDone"],
        state.get("output"),
        words_of_failure(name, error_text) if error_text else None,
        status,
        cause=cause,
    )


def read_actions(text: str) -> Any:
    """What the SDK wrote. Half of a surrogate pair, in ids and names, is replaced as in storage."""
    value = json.loads(text)
    return json.loads(compact(value)) if "\\ud" in text else value


def _body(work: OrchestrationWork, new: Sequence[Event]) -> str:
    instance = work.instance
    parent_id = instance.parent.instance_id if instance.parent else None
    events = ", ".join([*work.past_texts, *(json.dumps(event) for event in new)])
    return (
        f'{{"history": [{events}], "input": {instance.input or "null"},'
        f' "instanceId": {json.dumps(instance.id)},'
        f' "isReplaying": {"true" if work.past else "false"},'
        f' "parentInstanceId": {json.dumps(parent_id)}, "sourceInstanceId": null, {_CONSTANTS}}}'
    )


def _state_of_failure(text: str) -> dict[str, Any] | None:
    """The state that the SDK appends to the words of a failure; None where the host ignores it.

    The host ignores a state that claims to be done. The SDK writes one when an orchestrator's
    result is not JSON, and when an orchestrator raises after `continue_as_new`.
    """
    try:
        state = read_actions(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(state, dict) and state.get("isDone") is False and "error" in state:
        return state
    return None


def failed(name: str, words: str, raised: str | None = None) -> OrchestratorState:
    """The state of an orchestrator that failed and returned no actions.

    `raised` are the words of the app's exception, where the host's words say more than that.
    """
    error = words_of_failure(name, words)
    return OrchestratorState([], done=False, error=error, raised=raised or words)


def words_of_failure(name: str, words: str) -> str:
    """A failure as the host reports it."""
    return f"Orchestrator function '{name}' failed: {words}"


def place_of(action: Action) -> str:
    """The line of the orchestrator that made this action, as `file:line`; empty if unknown."""
    return str(action.get("place", ""))


def _cause(error: Exception, words: str) -> str:
    """What an orchestrator raised, in one line, and where."""
    raised = error.__cause__ or error
    first_line = next((line.strip() for line in words.splitlines() if line.strip()), "")
    kind = "" if type(raised) is Exception else f"{type(raised).__name__}: "
    frames = traceback.extract_tb(raised.__traceback__)
    place = last_place([(frame.filename, frame.lineno or 0) for frame in frames])
    return f"{kind}{first_line}{f' ({place})' if place else ''}"


def _words_of(error: Exception) -> str:
    try:
        return str(error)
    except BaseException:  # the exception's class is code of the app, too; the worker's message
        return "Unhandled exception in function. Could not serialize original exception message."


def _bare_failure(error: Exception, words: str) -> str:
    """The host's words for an exception that did not come through the SDK's own reporting."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f'  File "{code.co_filename}", line {trace.tb_lineno}, in {code.co_name}')
        trace = trace.tb_next
    stack = "\n".join(frames)
    return (
        "One or more errors occurred. (Result: Failure\n"
        f"Exception: {type(error).__name__}: {words}\nStack: {stack})"
    )


def status_kilobytes(status: Any) -> int:
    """The size of a custom status as the host counts it."""
    return 0 if status is None else len(compact(status).encode("utf-16-le")) // 1024
