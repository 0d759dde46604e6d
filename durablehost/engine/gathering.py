"""Which instances let completions gather, and until when.

Each episode replays all of the history, and while a group is waited for all it can show is a
custom status. So one in between is due only after ten times as long as the last one took, and
after a second at the latest.
"""

import time
from typing import Final, NamedTuple

_COSTLY_SECONDS: Final = 0.001  # an episode of this length is worth saving
_LONGEST_SECONDS: Final = 1.0


class _Pause(NamedTuple):
    until: float  # by time.perf_counter
    least: int  # completions


class Gathering:
    """Instances that gather completions until something can come of them."""

    def __init__(self) -> None:
        self._pauses: dict[str, _Pause] = {}

    def after(self, instance_id: str, least: int, cost: float) -> None:
        """An episode took `cost` seconds, and `least` completions are needed for more."""
        if cost > _COSTLY_SECONDS and least > 1:
            pause = min(10 * cost, _LONGEST_SECONDS)
            self._pauses[instance_id] = _Pause(time.perf_counter() + pause, least)
        else:
            self._pauses.pop(instance_id, None)

    def end(self, instance_id: str) -> None:
        self._pauses.pop(instance_id, None)

    def enough(self) -> dict[str, int]:
        """How many completions are worth an episode at once, by instance."""
        now = time.perf_counter()
        over = [one for one, pause in self._pauses.items() if pause.until <= now]
        for instance_id in over:
            del self._pauses[instance_id]
        return {one: pause.least for one, pause in self._pauses.items()}

    def ends(self) -> list[float]:
        """In how many seconds each pause is over."""
        now = time.perf_counter()
        return [pause.until - now for pause in self._pauses.values()]
