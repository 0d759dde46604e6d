"""Trying again, with pauses that grow, until it is not worth it.

The SDK's `call_activity_with_retry` waits for every failure alike, as long each time, without
jitter or deadline. This one stops at once where the failure says so.
"""

import hashlib
import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import azure.durable_functions as df

from orchestration.deadlines import in_time, sleep
from orchestration.failures import Failure, failure_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Retry:
    """How often, with which pauses and for how long something is tried."""

    attempts: int = 5
    first_pause: timedelta = timedelta(seconds=2)
    factor: float = 2.0
    longest_pause: timedelta = timedelta(minutes=1)  # before its jitter
    jitter: float = 0.25  # a pause grows by up to this share, so that many do not return at once
    within: timedelta = timedelta(hours=1)  # no attempt starts later than this
    attempt_within: timedelta | None = None  # an attempt ends by then, and by `within`: as failed
    never_for: frozenset[str] = frozenset()  # codes of failures that no other attempt would mend

    def pause(self, attempt: int, luck: float) -> timedelta:
        """The pause after an attempt; `luck` from 0 to 1 is where in the jitter it lies."""
        growth = self.factor ** min(attempt - 1, _MOST_DOUBLINGS)
        capped = min(self.first_pause.total_seconds() * growth, self.longest_pause.total_seconds())
        return timedelta(seconds=capped * (1 + self.jitter * luck))

    def is_worth_it(self, failure: Failure) -> bool:
        """Whether another attempt could end otherwise."""
        return failure.retriable and failure.code not in self.never_for


RETRY: Final = Retry()
# For work that an outage of most of a day should delay and not fail.
PATIENT: Final = Retry(
    attempts=100, longest_pause=timedelta(minutes=20), within=timedelta(hours=20)
)

_MOST_DOUBLINGS: Final = 64  # the pause is at its longest long before, and floats end somewhere


def call_with_retry(
    context: df.DurableOrchestrationContext, activity: Any, payload: object, retry: Retry = RETRY
) -> Generator[Any, Any, Any]:
    """Return the activity's result. Raises the Failure of its last attempt."""
    give_up = context.current_utc_datetime + retry.within

    def attempt() -> Generator[Any, Any, Any]:
        call = context.call_activity(activity, payload)
        if retry.attempt_within is None:
            return (yield call)
        left = give_up - context.current_utc_datetime
        return (yield from in_time(context, call, min(retry.attempt_within, left)))

    return (yield from retried(context, attempt, retry))


def retried(
    context: df.DurableOrchestrationContext,
    attempt: Callable[[], Generator[Any, Any, Any]],
    retry: Retry = RETRY,
) -> Generator[Any, Any, Any]:
    """Return what an attempt returns. Raises the Failure of the last one."""
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
    """How long to wait after an attempt. Raises its Failure where it was the last."""
    pause = retry.pause(attempt, luck_of(context, attempt))
    too_late = context.current_utc_datetime + pause > give_up
    if not retry.is_worth_it(failure) or attempt >= retry.attempts or too_late:
        raise failure
    if not context.is_replaying:
        log.info(
            "%s: attempt %d failed (%s), again in %s", context.instance_id, attempt, failure, pause
        )
    return pause


def luck_of(context: df.DurableOrchestrationContext, attempt: int) -> float:
    """A number from 0 to 1 that differs between instances and attempts, and is drawn from nothing
    else: a replay that had another one would wait for another time.
    """
    drawn = hashlib.sha256(f"{context.instance_id}:{attempt}".encode()).digest()
    return int.from_bytes(drawn[:4]) / 0xFFFFFFFF
