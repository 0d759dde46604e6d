"""What an action list waits for: a task, any or all of several, or one with retries."""

from collections.abc import Callable, Sequence
from datetime import timedelta


class Wait:
    """Something that will be done, or fail."""

    __slots__ = ("_callbacks", "acts", "all_of", "done", "failed")

    def __init__(self, *, done: bool = False, failed: bool = False, acts: bool = False) -> None:
        self.done = done
        self.failed = failed
        self.acts = acts  # schedules tasks before it is done, as a retry does
        self.all_of: Sequence[Wait] = ()  # the parts of a group that waits for all of them
        self._callbacks: list[Callable[[], None]] = []

    def completions_needed(self) -> int:
        """How many completions it takes until this can be done, or can schedule another task."""
        if self.done:
            return 0
        if not self.all_of or any(part.acts and not part.done for part in self.all_of):
            return 1
        return sum(part.completions_needed() for part in self.all_of)

    def then(self, callback: Callable[[], None]) -> None:
        if self.done:
            callback()
        else:
            self._callbacks.append(callback)

    def finish(self, *, failed: bool = False) -> None:
        if self.done:
            return
        self.done, self.failed = True, failed
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()


def any_of(parts: Sequence[Wait]) -> Wait:
    """Done when the first part is done. It does not fail, even if that part failed."""
    whole = Wait(acts=any(part.acts for part in parts))
    for part in parts:
        part.then(whole.finish)
    return whole


def all_of(parts: Sequence[Wait]) -> Wait:
    """Done when all parts are done. It fails if one of them failed."""
    left = len(parts)
    whole = Wait(done=left == 0, acts=any(part.acts for part in parts))
    whole.all_of = parts

    def one_less() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            whole.finish(failed=any(part.failed for part in parts))

    for part in parts:
        part.then(one_less)
    return whole


def retried(
    call: Callable[[], Wait], pause: Callable[[timedelta], Wait], attempts: int, between: timedelta
) -> Wait:
    """Done when a call succeeds, or when it has failed on every attempt."""
    whole = Wait(acts=True)
    made = 0

    def attempt() -> None:
        nonlocal made
        made += 1
        task = call()
        task.then(lambda: settled(task))

    def settled(task: Wait) -> None:
        if not task.failed:
            whole.finish()
        elif made >= attempts:
            # The host's retry loop ends with a timer that fires at once.
            pause(timedelta()).then(lambda: whole.finish(failed=True))
        else:
            pause(between).then(attempt)

    attempt()
    return whole
