"""Hearing every event that is sent to an orchestrator which continues as new."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import azure.durable_functions as df

from orchestration.events import CANCEL_EVENT
from orchestration.steps import Steps


class Ears:
    """Listens without a gap: the SDK keeps one event of a name that nobody waits for, and no more.

    It never cancels a timer while it goes on: the host would run ahead to `continue_as_new`, and
    hand the events that were heard to the next generation once more.
    """

    def __init__(
        self,
        context: df.DurableOrchestrationContext,
        turn: datetime,
        event: str,
        take: Callable[[object], None],
    ) -> None:
        """Hear CANCEL_EVENT, and `event` as often as it comes; a generation turns at `turn`."""
        self.stop: Any = context.wait_for_external_event(CANCEL_EVENT)
        self._awaited: Any = context.wait_for_external_event(event)
        self._context, self._turn, self._event, self._take = context, turn, event, take
        self._timers: list[Any] = []

    @property
    def is_told_to_stop(self) -> bool:
        return bool(self.stop.is_completed)

    def until(self, task: Any) -> Steps[None]:
        """Listen until an activity ends; or until the newest timer does, or the word to stop."""
        is_timer = hasattr(task, "cancel")  # of all tasks, only a timer can be cancelled
        self._timers += [task] if is_timer else []
        new: list[Any] = []
        while not task.is_completed and not (is_timer and self.is_told_to_stop):
            ears = [each for each in (self.stop, self._awaited) if not each.is_completed]
            yield self._context.task_any([*ears, *new, task])
            new = [each for each in new if not each.is_completed]
            if self._awaited.is_completed:
                self._take(self._awaited.result)
                self._awaited = self._context.wait_for_external_event(self._event)
                # The host gets past this wait by an event or, for want of one, by the timer.
                new = [self._context.create_timer(self._turn)]
                self._timers += new
                if is_timer:
                    task = new.pop()

    def close(self) -> None:
        """Cancel what would keep an ended instance Running."""
        for timer in self._timers:
            if not timer.is_completed:
                timer.cancel()
