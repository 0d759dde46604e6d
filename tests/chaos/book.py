"""What was asked of durablehost, and which of it was answered."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

# What comes out of each orchestrator of the app, by the number that went in.
OUTPUTS: Final[dict[str, Callable[[int], Any]]] = {
    "chain": lambda number: number + 3,
    "fan_out": lambda number: number * (number - 1),
    "timers": lambda number: number + 1,
    "family": lambda number: [number + 3, number + 6, 20],
}
# The activities of each, as they are noted in the file of effects.
STEPS: Final[dict[str, Callable[[int], int]]] = {
    "chain": lambda _: 3,
    "fan_out": lambda number: number,
    "timers": lambda _: 1,
}


@dataclass
class Sent:
    """Something that was sent; unanswered it may or may not have arrived, but never in part."""

    value: Any
    answered: bool


@dataclass
class Asked:
    """An instance that was asked for."""

    id: str
    orchestrator: str
    number: int
    ledger: str = ""  # a bookkeeper's
    answered: bool = False
    events: list[Sent] = field(default_factory=list)


@dataclass
class Book:
    """All that was asked for."""

    instances: dict[str, Asked] = field(default_factory=dict)
    signals: dict[str, list[Sent]] = field(default_factory=dict)  # by ledger
    requests: int = 0
    unanswered: int = 0
