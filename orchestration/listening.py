"""Receiving every external event in an orchestrator that continues as new.

Three facts of the platform make this difficult:

- An event that nobody waits for can be lost: the SDK keeps only the last one of a name, and the
  host drops it at `continue_as_new`. So one wait is open at all times.
- The host stays at a group of tasks until a task that is new in it ends. So a new wait is grouped
  with a timer that fires at once.
- The host does not stay at a cancelled timer. It would reach `continue_as_new` before it takes
  events that the orchestrator has received, and deliver them to the next generation again. So a
  generation ends with `catch_up`.
"""

from collections.abc import Generator
from datetime import datetime
from typing import Any

import azure.durable_functions as df


class EventListener:
    """Receives every event of the name `each`, and the first event of the name `once`.

    Each method returns the data of the events of the name `each` that arrived while it waited.
    """

    def __init__(self, context: df.DurableOrchestrationContext, each: str, once: str) -> None:
        self.once: Any = context.wait_for_external_event(once)
        self.received = 0
        self._context, self._each = context, each
        self._next: Any = context.wait_for_external_event(each)

    def wait_until(self, moment: datetime) -> Generator[Any, Any, list[object]]:
        """Wait until this time, or until an event arrives."""
        timer: Any = self._context.create_timer(moment)
        yield self._context.task_any([*self._open_waits(), timer])
        if not timer.is_completed:
            timer.cancel()
        return (yield from self._take())

    def wait_for(self, call: Any) -> Generator[Any, Any, list[object]]:
        """Wait until an activity has ended. Events do not end this wait."""
        taken = []
        while not call.is_completed:
            yield self._context.task_any([*self._open_waits(), call])
            taken += yield from self._take()
        return taken

    def catch_up(self) -> Generator[Any, Any, list[object]]:
        """Wait until the host has taken all events, or until the event `once` has arrived.

        In the first case, call `continue_as_new` next.
        """
        taken: list[object] = []
        while self.received and not self.once.is_completed:
            new = yield from self.wait_until(self._context.current_utc_datetime)
            if not new:
                break
            taken += new
        return taken

    def _open_waits(self) -> list[Any]:
        return [wait for wait in (self.once, self._next) if not wait.is_completed]

    def _take(self) -> Generator[Any, Any, list[object]]:
        """Take the events that have arrived, and open the next wait after each."""
        taken = []
        while self._next.is_completed:
            taken.append(self._next.result)
            self._next = self._context.wait_for_external_event(self._each)
            timer: Any = self._context.create_timer(self._context.current_utc_datetime)
            yield self._context.task_any([self._next, timer])
            if not timer.is_completed:
                timer.cancel()
        self.received += len(taken)
        return taken
