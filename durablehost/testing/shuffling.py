"""The order of what happens at one moment: always the same, or any order, repeated by a seed."""

from random import Random
from typing import TypeVar

T = TypeVar("T")


class Shuffle:
    """Without a seed it changes nothing."""

    def __init__(self, seed: int | None) -> None:
        self._random = None if seed is None else Random(seed)

    def begin(self, seed: int) -> None:
        self._random = Random(seed)

    def in_some_order(self, items: list[T]) -> list[T]:
        """All of them, in another order where there is a seed."""
        return items[:] if self._random is None else self._random.sample(items, len(items))

    def take(self, items: list[T]) -> list[T]:
        """Take out all of the items, or where there is a seed some of them in any order."""
        ordered = self.in_some_order(items)
        taken = len(items) if self._random is None else self._random.randint(0, len(items))
        items[:] = ordered[taken:]
        return ordered[:taken]

    def toss(self) -> bool:
        """False without a seed; with one either."""
        return self._random is not None and self._random.random() < 0.5
