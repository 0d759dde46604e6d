"""What an action list waits for: one thing, any or all of several, or one tried again."""

from collections.abc import Callable, Sequence
from datetime import timedelta


class Wait:
    """Something that is done at some time, well or not."""

    __slots__ = ("_callbacks", "acts", "all_of", "done", "failed")

    def __init__(self, *, done: bool = False, failed: bool = False, acts: bool = False) -> None:
        self.done = done
        self.failed = failed
        self.acts = acts  # schedules something of its own before it is done, as a retry does
        self.all_of: Sequence[Wait] = ()  # what a group waits for, every one of them
        self._callbacks: list[Callable[[], None]] = []

    def completions_needed(self) -> int:
        """How many completions it takes until something can come of them."""
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
    """Done with the first of them, and well even where that failed."""
    whole = Wait(acts=any(part.acts for part in parts))
    for part in parts:
        part.then(whole.finish)
    return whole


def all_of(parts: Sequence[Wait]) -> Wait:
    """Done with the last of them, and failed where one did."""
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
    """Done once a call went well, or has failed so many times."""
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
