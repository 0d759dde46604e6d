"""Keeps a record of what was requested of durablehost, and what was answered."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

# The output of each orchestrator of the app, by its input.
OUTPUTS: Final[dict[str, Callable[[int], Any]]] = {
    "chain": lambda number: number + 3,
    "fan_out": lambda number: number * (number - 1),
    "timers": lambda number: number + 1,
    "family": lambda number: [number + 3, number + 6, 20],
}
# The activities of each orchestrator, as they are recorded in the file of effects.
STEPS: Final[dict[str, Callable[[int], int]]] = {
    "chain": lambda _: 3,
    "fan_out": lambda number: number,
    "timers": lambda _: 1,
}


@dataclass
class Sent:
    """Something that was sent. Without an answer it has arrived completely or not at all."""

    value: Any
    answered: bool


@dataclass
class Asked:
    """An instance that was requested."""

    id: str
    orchestrator: str
    number: int
    ledger: str = ""  # a bookkeeper's
    answered: bool = False
    events: list[Sent] = field(default_factory=list)


@dataclass
class Book:
    """Everything that was requested."""

    instances: dict[str, Asked] = field(default_factory=dict)
    signals: dict[str, list[Sent]] = field(default_factory=dict)  # by ledger
    requests: int = 0
    unanswered: int = 0
