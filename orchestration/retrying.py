"""Retrying with growing pauses, jitter and a deadline.

The SDK's `call_activity_with_retry` repeats every failure, always after the same pause. This module
stops at once if a failure says that no retry can mend it.
"""

import hashlib
import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import azure.durable_functions as df

from orchestration.deadlines import sleep
from orchestration.failures import Failure, failure_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Retry:
    """A retry policy: how many attempts, with which pauses, and for how long."""

    attempts: int = 5
    first_pause: timedelta = timedelta(seconds=2)
    factor: float = 2.0
    longest_pause: timedelta = timedelta(minutes=1)  # before its jitter
    jitter: float = 0.25  # a pause is longer by up to this share, so that instances spread out
    within: timedelta = timedelta(hours=1)  # no attempt starts later than this

    def pause(self, attempt: int, share: float) -> timedelta:
        """The pause after an attempt; `share`, from 0 to 1, is how much of the jitter it gets."""
        growth = self.factor ** min(attempt - 1, _MOST_DOUBLINGS)
        capped = min(self.first_pause.total_seconds() * growth, self.longest_pause.total_seconds())
        return timedelta(seconds=capped * (1 + self.jitter * share))


RETRY: Final = Retry()
# For work that an outage of many hours should delay and not fail.
PATIENT: Final = Retry(
    attempts=100, longest_pause=timedelta(minutes=20), within=timedelta(hours=20)
)

_MOST_DOUBLINGS: Final = 64  # more of them would overflow a float


def call_with_retry(
    context: df.DurableOrchestrationContext, activity: Any, payload: object, retry: Retry = RETRY
) -> Generator[Any, Any, Any]:
    """Return the activity's result. Raises the Failure of its last attempt."""

    def attempt() -> Generator[Any, Any, Any]:
        return (yield context.call_activity(activity, payload))

    return (yield from retried(context, attempt, retry))


def retried(
    context: df.DurableOrchestrationContext,
    attempt: Callable[[], Generator[Any, Any, Any]],
    retry: Retry = RETRY,
) -> Generator[Any, Any, Any]:
    """Return what `attempt` returns, called again after each failure. Raises the last Failure."""
    give_up = context.current_utc_datetime + retry.within
    number = 1
    while True:
        try:
            return (yield from attempt())
        except Exception as error:  # the SDK raises nothing narrower
            pause = pause_after(context, failure_of(error), retry, number, give_up)
        yield from sleep(context, pause)
        number += 1


def pause_after(
    context: df.DurableOrchestrationContext,
    failure: Failure,
    retry: Retry,
    attempt: int,
    give_up: datetime,
) -> timedelta:
    """Return the pause before the next attempt. Raises the failure if there is no next attempt."""
    pause = retry.pause(attempt, jitter_of(context, attempt))
    too_late = context.current_utc_datetime + pause > give_up
    if not failure.retriable or attempt >= retry.attempts or too_late:
        raise failure
    if not context.is_replaying:
        log.info(
            "%s: attempt %d failed (%s), next in %s", context.instance_id, attempt, failure, pause
        )
    return pause


def jitter_of(context: df.DurableOrchestrationContext, attempt: int) -> float:
    """A number from 0 to 1 that differs between instances and attempts, but not between replays."""
    digest = hashlib.sha256(f"{context.instance_id}:{attempt}".encode()).digest()
    return int.from_bytes(digest[:4]) / 0xFFFFFFFF
