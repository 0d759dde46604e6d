"""The order of what happens at one moment: fixed, or random and repeatable by a seed."""

from random import Random
from typing import TypeVar

T = TypeVar("T")


class Shuffle:
    """Changes the order if there is a seed."""

    def __init__(self, seed: int | None) -> None:
        self._random = None if seed is None else Random(seed)

    def begin(self, seed: int) -> None:
        self._random = Random(seed)

    def in_some_order(self, items: list[T]) -> list[T]:
        """All items, in another order if there is a seed."""
        return items[:] if self._random is None else self._random.sample(items, len(items))

    def take(self, items: list[T]) -> list[T]:
        """Remove and return all items; with a seed only some, in random order."""
        ordered = self.in_some_order(items)
        taken = len(items) if self._random is None else self._random.randint(0, len(items))
        items[:] = ordered[taken:]
        return ordered[:taken]

    def toss(self) -> bool:
        """False without a seed; with a seed random."""
        return self._random is not None and self._random.random() < 0.5
