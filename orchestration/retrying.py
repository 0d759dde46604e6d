"""Trying an activity again, with pauses that grow, until it is not worth it.

The SDK's `call_activity_with_retry` waits for every failure alike and has no jitter. This one
stops at once where the failure says so.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import azure.durable_functions as df

from orchestration.deadlines import sleep
from orchestration.failures import Failure, failure_of
from orchestration.log import log_once
from orchestration.steps import Steps


@dataclass(frozen=True)
class Retry:
    """How often, with which pauses and for how long an activity is tried."""

    attempts: int = 5
    first_pause: timedelta = timedelta(seconds=2)
    factor: float = 2.0
    longest_pause: timedelta = timedelta(minutes=1)
    jitter: float = 0.25  # a pause grows by up to this share, so that many do not return at once
    within: timedelta = timedelta(hours=1)  # no attempt starts later than this

    def pause(self, attempt: int, luck: float) -> timedelta:
        """The pause after an attempt; `luck` from 0 to 1 is where in the jitter it lies."""
        grown = self.first_pause.total_seconds() * self.factor ** (attempt - 1)
        capped = min(grown, self.longest_pause.total_seconds())
        return timedelta(seconds=capped * (1 + self.jitter * luck))


RETRY: Final = Retry()


def call_with_retry(
    context: df.DurableOrchestrationContext, activity: Any, payload: object, retry: Retry = RETRY
) -> Steps[Any]:
    """Return the activity's result. Raises the Failure of its last attempt."""
    give_up = context.current_utc_datetime + retry.within
    attempt = 1
    while True:
        try:
            return (yield context.call_activity(activity, payload))
        except Exception as error:  # the SDK raises nothing narrower
            pause = pause_after(context, failure_of(error), retry, attempt, give_up)
        yield from sleep(context, pause)
        attempt += 1


def pause_after(
    context: df.DurableOrchestrationContext,
    failure: Failure,
    retry: Retry,
    attempt: int,
    give_up: datetime,
) -> timedelta:
    """How long to wait after an attempt. Raises its Failure where it was the last."""
    pause = retry.pause(attempt, luck_of(context))
    too_late = context.current_utc_datetime + pause > give_up
    if not failure.retriable or attempt >= retry.attempts or too_late:
        raise failure
    log_once(context, "attempt %d failed (%s), again in %s", attempt, failure, pause)
    return pause


def luck_of(context: df.DurableOrchestrationContext) -> float:
    """A number from 0 to 1 that differs between instances and is the same at every replay."""
    return int(context.new_uuid()[:8], 16) / 0xFFFFFFFF
