"""What a cancel does to an instance, declared beside each orchestrator.

@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("ends_itself", left="files that were written stay in the storage")
def report(context): ...
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

# Asks an orchestrator to clean up and end, if `on_cancel` declares that it does so.
CANCEL_EVENT: Final = "CancelRequested"
_REASON_CHARS: Final = 500

# ends_itself: it waits for CANCEL_EVENT, cleans up and ends.
# terminate: it has nothing to clean up, so the host may terminate it at any moment.
# refuse: it must not stop half way and ends soon; only `force=true` terminates it.
OnCancel = Literal["ends_itself", "terminate", "refuse"]


@dataclass(frozen=True)
class CancelRule:
    """What a cancel does to the instances of one orchestrator."""

    on_cancel: OnCancel
    left: str  # what stays as it is after a termination, for a warning; empty for nothing
    starts_children: bool


# Instances of an orchestrator that this deployment does not know, such as one of a newer version.
_UNKNOWN: Final = CancelRule(
    "refuse", "what it has done so far stays: this deployment does not know its orchestrator", True
)

_rules: dict[str, CancelRule] = {}


def on_cancel(what: OnCancel, *, left: str = "", starts_children: bool = False) -> Callable[[F], F]:
    """Declare what a cancel does to the instances of the decorated orchestrator."""

    def declare(orchestrator: F) -> F:
        _rules[orchestrator.__name__] = CancelRule(what, left, starts_children)
        return orchestrator

    return declare


def cancel_reason(raw: object) -> str:
    """The reason that CANCEL_EVENT carries, or an empty text if it carries none.

    The SDK's client delivers an event as JSON text, and plain HTTP delivers the value itself.
    """
    try:
        value = json.loads(raw) if isinstance(raw, str) else raw
    except (ValueError, RecursionError):  # no JSON, or nested too deep
        return ""
    reason = value.get("reason") if isinstance(value, dict) else None
    return reason if isinstance(reason, str) and len(reason) <= _REASON_CHARS else ""


def cancel_rule(orchestrator: str) -> CancelRule:
    """The rule of an orchestrator, by its name."""
    return _rules.get(orchestrator, _UNKNOWN)


def declared_orchestrators() -> frozenset[str]:
    """The names of all orchestrators that have a rule."""
    return frozenset(_rules)
