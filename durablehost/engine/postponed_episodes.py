"""Postpones episodes that cannot change the outcome before more completions have come.

Each episode replays the whole history. While an orchestrator waits for a group of tasks, an episode
for one of them can change only the custom status. Such an episode is postponed for ten times as
long as the last one took, and for a second at most.
"""

import time
from typing import Final, NamedTuple

_COSTLY_SECONDS: Final = 0.001  # an episode of this length is worth saving
_LONGEST_SECONDS: Final = 1.0


class _Pause(NamedTuple):
    until: float  # by time.perf_counter
    completions_needed: int


class PostponedEpisodes:
    """The instances whose next episode is postponed."""

    def __init__(self) -> None:
        self._pauses: dict[str, _Pause] = {}

    def after(self, instance_id: str, completions_needed: int, seconds: float) -> None:
        """Postpone the episode after one that took so long, if it needs several completions."""
        if seconds > _COSTLY_SECONDS and completions_needed > 1:
            pause = min(10 * seconds, _LONGEST_SECONDS)
            self._pauses[instance_id] = _Pause(time.perf_counter() + pause, completions_needed)
        else:
            self._pauses.pop(instance_id, None)

    def end(self, instance_id: str) -> None:
        """Postpone the next episode of this instance no longer."""
        self._pauses.pop(instance_id, None)

    def completions_awaited(self) -> dict[str, int]:
        """How many completions each instance waits for before its next episode."""
        now = time.perf_counter()
        over = [one for one, pause in self._pauses.items() if pause.until <= now]
        for instance_id in over:
            del self._pauses[instance_id]
        return {one: pause.completions_needed for one, pause in self._pauses.items()}

    def ends(self) -> list[float]:
        """In how many seconds each pause is over."""
        now = time.perf_counter()
        return [pause.until - now for pause in self._pauses.values()]
