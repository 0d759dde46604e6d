"""Waiting: for a while, or for something with a deadline."""

import math
from collections.abc import Generator, Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

import azure.durable_functions as df

from orchestration.failures import Failure

TIMED_OUT: Final = "timed_out"

# The platform cuts a delay to whole seconds: one of a second may be none at all, and a loop spins.
SHORTEST: Final = timedelta(seconds=2)
# A timer of over six days cannot be cancelled, and keeps an ended instance Running.
LONGEST: Final = timedelta(days=3)


def sleep(context: df.DurableOrchestrationContext, delay: timedelta) -> Generator[Any, Any, None]:
    """Wait for a while; two seconds at least."""
    for part in _parts(delay):
        yield context.create_timer(context.current_utc_datetime + part)


def first_of(
    context: df.DurableOrchestrationContext, tasks: Sequence[Any], within: timedelta
) -> Generator[Any, Any, Any]:
    """Return the task that ends first, or None if none does within the time.

    The timer is cancelled; a lost event is not waited for. A lost activity cannot be stopped: the
    instance stays Running until it ends. Do not race tasks made by `…_with_retry`: cancelling the
    timer then changes the ids of a replay, and the instance fails.
    """
    for part in _parts(within):
        timer: Any = context.create_timer(context.current_utc_datetime + part)
        winner = yield context.task_any([*tasks, timer])
        if winner is not timer:
            timer.cancel()
            return winner
    return None


def in_time(
    context: df.DurableOrchestrationContext, task: Any, within: timedelta
) -> Generator[Any, Any, Any]:
    """Return a task's result. Raises a Failure `timed_out` if it does not end within the time.

    What was called goes on for all that, and may run at the same time as another attempt: only
    the activity itself can end what it waits for, so give that a limit of its own.
    """
    if (yield from first_of(context, [task], within)) is None:
        told = f"it had not ended after {within.total_seconds():.0f} seconds"
        raise Failure(TIMED_OUT, told, retriable=True)
    return (yield task)


def _parts(delay: timedelta) -> Iterator[timedelta]:
    """Whole seconds, none under the shortest, none over the longest; together the delay."""
    left = max(timedelta(seconds=math.ceil(delay.total_seconds())), SHORTEST)
    while left > LONGEST + SHORTEST:
        yield LONGEST
        left -= LONGEST
    yield left
