"""Waiting for some time, or for a task with a deadline, for longer than one timer can."""

import math
from collections.abc import Generator, Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

import azure.durable_functions as df

# The platform rounds the end of a timer down to whole seconds: a timer of one second may fire at
# once, and a loop with such a timer spins.
SHORTEST: Final = timedelta(seconds=2)
# A timer of more than six days cannot be cancelled: it keeps an instance that has ended Running.
LONGEST: Final = timedelta(days=3)


def sleep(context: df.DurableOrchestrationContext, delay: timedelta) -> Generator[Any, Any, None]:
    """Wait for some time: two seconds at least, and any number of days."""
    for part in _parts(delay):
        yield context.create_timer(context.current_utc_datetime + part)


def wait_any(
    context: df.DurableOrchestrationContext, tasks: Sequence[Any], within: timedelta
) -> Generator[Any, Any, Any]:
    """Return the task that ends first, or None if none ends within the time.

    Cancels its own timer. An activity that loses cannot be stopped: the instance stays Running
    until it ends. Do not pass tasks made by `…_with_retry`: cancelling the timer then changes the
    ids of a replay, and the instance fails.
    """
    for part in _parts(within):
        timer: Any = context.create_timer(context.current_utc_datetime + part)
        winner = yield context.task_any([*tasks, timer])
        if winner is not timer:
            timer.cancel()
            return winner
    return None


def _parts(delay: timedelta) -> Iterator[timedelta]:
    """Split the delay into whole seconds, from SHORTEST to LONGEST each."""
    left = max(timedelta(seconds=math.ceil(delay.total_seconds())), SHORTEST)
    while left > LONGEST + SHORTEST:
        yield LONGEST
        left -= LONGEST
    yield left
