"""Many tasks at once, of which some may fail without stopping the others."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import azure.durable_functions as df

from orchestration.deadlines import sleep
from orchestration.failures import Failure, failure_of
from orchestration.retrying import RETRY, Retry, luck_of
from orchestration.steps import Steps


@dataclass(frozen=True)
class Settled:
    """How one task ended: its value, or its failure."""

    value: Any = None
    failure: Failure | None = None

    @property
    def is_worth_another_attempt(self) -> bool:
        return self.failure is not None and self.failure.retriable


def settle(context: df.DurableOrchestrationContext, tasks: Sequence[Any]) -> Steps[list[Settled]]:
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
) -> Steps[list[Settled]]:
    """Call an activity on every payload, so many at once, and return how each call ended.

    It goes in waves; what is worth another attempt gets it once all have had theirs. A window that
    slides over the payloads by `task_any` is no faster: the host looks at what is scheduled after
    a `task_any` only once the newest task in it has ended.
    """
    ends: dict[int, Settled] = {}
    waiting = list(range(len(payloads)))
    for attempt in range(1, retry.attempts + 1):
        for start in range(0, len(waiting), at_once):
            wave = waiting[start : start + at_once]
            calls = [context.call_activity(activity, payloads[number]) for number in wave]
            settled = yield from settle(context, calls)
            ends |= zip(wave, settled, strict=True)
        waiting = [number for number in waiting if ends[number].is_worth_another_attempt]
        if not waiting or attempt == retry.attempts:
            break
        yield from sleep(context, retry.pause(attempt, luck_of(context)))
    return [ends[number] for number in range(len(payloads))]
