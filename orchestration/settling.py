"""Many tasks at once, of which some may fail without stopping the others."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import azure.durable_functions as df

from orchestration.failures import Failure, failure_of
from orchestration.steps import Steps


@dataclass(frozen=True)
class Settled:
    """How one task ended: its value, or its failure."""

    value: Any = None
    failure: Failure | None = None


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
) -> Steps[list[Settled]]:
    """Call an activity on every payload, so many at once, and return how each call ended.

    It goes in waves. A window that slides over the payloads by `task_any` is no better: the host
    looks at what is scheduled after a `task_any` only once its newest task has ended.
    """
    ends: list[Settled] = []
    for start in range(0, len(payloads), at_once):
        wave = payloads[start : start + at_once]
        calls = [context.call_activity(activity, payload) for payload in wave]
        ends += yield from settle(context, calls)
    return ends
