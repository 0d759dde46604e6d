"""Compensation: undo the steps that were done, in reverse order.

Register the undo of a step before you call the step. A step that failed may have taken effect: its
answer was lost, or its request is still on the way. So an undo must reverse what the step did, if
it did anything, and must prevent that the step takes effect later.
"""

import logging
from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import azure.durable_functions as df

from orchestration.failures import Failure, failure_of
from orchestration.retrying import Retry, retried

log = logging.getLogger(__name__)

# With these pauses, a day has room for 60 attempts.
UNDO: Final = Retry(attempts=100, longest_pause=timedelta(minutes=30), within=timedelta(days=1))


@dataclass(frozen=True)
class Undo:
    """The activity that undoes a step, and its input."""

    step: str
    activity: Any
    payload: object


def undo_all(
    context: df.DurableOrchestrationContext, undos: list[Undo], retry: Retry = UNDO
) -> Generator[Any, Any, Failure | None]:
    """Undo the last step first, and remove its undo from the list once it has succeeded.

    Stops at the first undo that fails until `retry` gives up, and returns the failure. The steps
    before it are not undone, because the step that remains may depend on them.
    """
    of = len(undos)
    while undos:
        status = {"step": f"undoing {undos[-1].step}", "done": of - len(undos), "of": of}
        try:
            yield from _undo(context, undos[-1], status, retry)
        except Failure as failure:
            return failure
        undos.pop()
    return None


def _undo(
    context: df.DurableOrchestrationContext, undo: Undo, status: dict[str, Any], retry: Retry
) -> Generator[Any, Any, None]:
    def attempt() -> Generator[Any, Any, None]:
        try:
            yield context.call_activity(undo.activity, undo.payload)
        except Exception as error:  # the SDK raises nothing narrower
            failure = failure_of(error)
            context.set_custom_status(status | {"failing": failure.as_data()})
            # Retry a refusal as well: what is refused now may be possible in an hour.
            raise Failure(failure.code, failure.message, retriable=True) from error

    context.set_custom_status(status)
    yield from retried(context, attempt, retry)
    if not context.is_replaying:
        log.info("%s: undid %s", context.instance_id, undo.step)
