"""Work that a caller may cancel, and that has to clean up then.

It waits for CANCEL_EVENT all the time, and ends between two activities: one that runs cannot be
stopped, and could still write when everything it wrote is cleaned up.
"""

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from orchestration.cancel_rules import CANCEL_EVENT, cancel_reason
from orchestration.deadlines import wait_any
from orchestration.failures import failure_of
from orchestration.retrying import RETRY, Retry, pause_after


class Cancelled(Exception):
    """The caller wants this work to end."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Cancellable:
    """The activities of one instance, each called unless it was cancelled before.

    `word` is the wait for the event, for races of other tasks. It hears from the first call on.
    """

    def __init__(self, context: df.DurableOrchestrationContext) -> None:
        self._context = context
        self.word: Any = context.wait_for_external_event(CANCEL_EVENT)

    def call(
        self, activity: Any, payload: object, retry: Retry = RETRY
    ) -> Generator[Any, Any, Any]:
        """Return the activity's result, as `call_with_retry` does.

        Raises Cancelled once no attempt runs, be the result there or not. For the same reason it
        waits for each attempt to end, whatever `attempt_within` says.
        """
        give_up = self._context.current_utc_datetime + retry.within
        attempt = 1
        while True:
            call = self._context.call_activity(activity, payload)
            # The wait for the event is scheduled with the first call, as one of a group.
            yield self._context.task_any([call, self.word])
            try:
                result = yield call
            except Exception as error:  # the SDK raises nothing narrower
                self.check()
                pause = pause_after(self._context, failure_of(error), retry, attempt, give_up)
            else:
                self.check()
                return result
            yield from wait_any(self._context, [self.word], pause)
            self.check()
            attempt += 1

    def check(self) -> None:
        """Raise Cancelled if the caller wants this work to end."""
        if self.word.is_completed:
            raise Cancelled(cancel_reason(self.word.result))
