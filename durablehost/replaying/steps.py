"""What an orchestrator has asked for, step by step, in words that can be compared."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from durablehost.episodes.sdk_replay import Action


def steps_of(actions: Sequence[Action]) -> list[str]:
    """One line for each action of the SDK. Inputs and times of timers are left out."""
    return [_step(action) for action in actions]


def _step(action: Action) -> str:
    return _WORDS[action["actionType"]](action)


def _activity(action: Action) -> str:
    return f"activity '{action['functionName']}'{_retries(action)}"


def _child(action: Action) -> str:
    return f"sub-orchestration '{action['functionName']}'{_retries(action)}"


def _retries(action: Action) -> str:
    options: dict[str, Any] | None = action.get("retryOptions")
    if not options:
        return ""
    times, pause = options["maxNumberOfAttempts"], options["firstRetryIntervalInMilliseconds"]
    return f", at most {times} times, {pause} ms apart"


def _timer(action: Action) -> str:
    return "a timer, cancelled" if action["isCanceled"] else "a timer"


def _group(words: str) -> Callable[[Action], str]:
    def described(action: Action) -> str:
        return f"{words} of ({'; '.join(map(_step, action['compoundActions']))})"

    return described


_WORDS: Final[dict[int, Callable[[Action], str]]] = {
    0: _activity,
    1: _activity,
    2: _child,
    3: _child,
    4: lambda _: "continue_as_new",
    5: _timer,
    6: lambda action: f"the event '{action['externalEventName']}'",
    7: lambda action: f"'{action['operation']}' of {action['instanceId']}",
    8: lambda action: f"{action['httpRequest']['method']} by call_http",
    9: lambda action: f"the signal '{action['operation']}' to {action['instanceId']}",
    11: _group("any"),
    12: _group("all"),
}
