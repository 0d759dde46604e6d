"""Many tasks at once, of which some may fail without stopping the others."""

from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import azure.durable_functions as df

from orchestration.deadlines import sleep
from orchestration.failures import Failure, failure_of
from orchestration.retrying import RETRY, Retry, jitter_of


@dataclass(frozen=True)
class Settled:
    """How one task ended: its value, or its failure."""

    value: Any = None
    failure: Failure | None = None


def end_of(task: Any) -> Settled | None:
    """How a task that was waited for has ended; None while it goes on."""
    if not task.is_completed:
        return None
    if isinstance(task.result, Exception):
        return Settled(failure=failure_of(task.result))
    return Settled(value=task.result)


def settle(
    context: df.DurableOrchestrationContext, tasks: Sequence[Any]
) -> Generator[Any, Any, list[Settled]]:
    """Wait for all tasks and return how each ended, in their order."""
    if not tasks:
        return []
    with suppress(Exception):  # the first failure of the group; each task tells its own below
        yield context.task_all(list(tasks))
    ends = []
    for task in tasks:
        try:
            ends.append(Settled(value=(yield task)))
        except Exception as error:  # the SDK raises nothing narrower
            ends.append(Settled(failure=failure_of(error)))
    return ends


def settle_map(
    context: df.DurableOrchestrationContext,
    activity: Any,
    payloads: Sequence[object],
    at_once: int,
    retry: Retry = RETRY,
) -> Generator[Any, Any, list[Settled]]:
    """Call an activity on every payload, so many at once, and return how each call ended.

    It goes in waves; what is worth another attempt gets it once all have had theirs. A window that
    slides over the payloads by `task_any` is no faster: the host looks at what is scheduled after
    a `task_any` only once the newest task in it has ended. How long one call takes is the
    activity's own to limit.
    """
    give_up = context.current_utc_datetime + retry.within
    ends: dict[int, Settled] = {}
    waiting = list(range(len(payloads)))
    for attempt in range(1, retry.attempts + 1):
        for start in range(0, len(waiting), at_once):
            wave = waiting[start : start + at_once]
            calls = [context.call_activity(activity, payloads[number]) for number in wave]
            settled = yield from settle(context, calls)
            ends |= zip(wave, settled, strict=True)
        failures = ((number, ends[number].failure) for number in waiting)
        waiting = [number for number, why in failures if why and retry.should_retry(why)]
        pause = retry.pause(attempt, jitter_of(context, attempt))
        too_late = context.current_utc_datetime + pause > give_up
        if not waiting or attempt == retry.attempts or too_late:
            break
        yield from sleep(context, pause)
    return [ends[number] for number in range(len(payloads))]
