"""Taking back what was done, where what should follow it cannot be done.

A step's undo is registered before the step is called: a step that failed may have been done all the
same, as its answer can be lost, or be done yet, as its request can be on its way. So an undo takes
back what was done, if anything was, and sees to it that nothing will be.
"""

import logging
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import azure.durable_functions as df

from orchestration.deadlines import sleep
from orchestration.failures import Failure, failure_of
from orchestration.retrying import RETRY, Retry, call_with_retry, luck_of
from orchestration.run_keys import RunKeys

log = logging.getLogger(__name__)

UNDO: Final = Retry(longest_pause=timedelta(minutes=30), within=timedelta(days=1))


@dataclass(frozen=True)
class Undo:
    """What takes a step back; its activity is given what the step was given."""

    step: str
    activity: Any
    payload: object


@dataclass
class Saga:
    """The steps that may have been done, each with its undo; the last is undone first."""

    context: df.DurableOrchestrationContext
    undos: list[Undo] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._keys = RunKeys(self.context)

    def key(self, step: str) -> str:
        """The idempotency key of a step, in this run of the instance."""
        return self._keys.key(step)

    def do(
        self, step: str, activity: Any, payload: object, undo: Any, retry: Retry = RETRY
    ) -> Generator[Any, Any, Any]:
        """Do a step, its undo registered before. Raises the Failure of its last attempt."""
        self.undos.append(Undo(step, undo, payload))
        return (yield from call_with_retry(self.context, activity, payload, retry))

    def undo_all(self, retry: Retry = UNDO) -> Generator[Any, Any, Failure | None]:
        """Undo in reverse order, each step until it holds.

        It stops at a step that does not hold within the time of `retry`, and returns why: `undos`
        then are the steps that stand. What was done before that step must stay, as it may have
        been built upon.
        """
        of = len(self.undos)
        while self.undos:
            undo = self.undos[-1]
            status = {"step": f"undoing {undo.step}", "done": of - len(self.undos), "of": of}
            failure = yield from self._undo(undo, retry, status)
            if failure is not None:
                return failure
            self.undos.pop()
        return None

    def _undo(
        self, undo: Undo, retry: Retry, status: dict[str, Any]
    ) -> Generator[Any, Any, Failure | None]:
        """Try until it holds, refusals included: what is refused now may be possible later."""
        context = self.context
        context.set_custom_status(status)
        give_up = context.current_utc_datetime + retry.within
        attempt = 1
        while True:
            try:
                yield context.call_activity(undo.activity, undo.payload)
            except Exception as error:  # the SDK raises nothing narrower
                failure = failure_of(error)
            else:
                if not context.is_replaying:
                    log.info("%s: undid %s", context.instance_id, undo.step)
                return None
            context.set_custom_status(status | {"failing": failure.as_data()})
            pause = retry.pause(attempt, luck_of(context, attempt))
            if context.current_utc_datetime + pause > give_up:
                return failure
            if not context.is_replaying:
                log.info(
                    "%s: undoing %s failed (%s), again in %s",
                    context.instance_id,
                    undo.step,
                    failure,
                    pause,
                )
            yield from sleep(context, pause)
            attempt += 1
