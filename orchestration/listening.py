"""Receiving every external event in an orchestrator that continues as new.

Three facts of the platform make this harder than it looks:

- An event that nobody waits for is not safe: the SDK keeps only the last one of a name, and the
  host drops it at `continue_as_new`. So one wait is open at all times.
- The host stays at a group of tasks until one that is new in it ends. So a new wait is grouped
  with a timer that fires at once.
- The host does not stay at a timer that was cancelled. It would reach `continue_as_new` before it
  takes the events that this code has received, and deliver them again to the next generation. So
  a generation ends with `catch_up`.
"""

from collections.abc import Generator
from datetime import datetime
from typing import Any

import azure.durable_functions as df


class EventListener:
    """Receives each event of one name, and the first event of another, such as a cancel.

    Each method returns what the events of the first name brought while it waited.
    """

    def __init__(self, context: df.DurableOrchestrationContext, each: str, once: str) -> None:
        self.once: Any = context.wait_for_external_event(once)
        self.received = 0
        self._context, self._each = context, each
        self._next: Any = context.wait_for_external_event(each)

    def wait_until(self, moment: datetime) -> Generator[Any, Any, list[object]]:
        """Wait for a time; an event ends the wait."""
        timer: Any = self._context.create_timer(moment)
        yield self._context.task_any([*self._waits(), timer])
        if not timer.is_completed:
            timer.cancel()
        return (yield from self._take())

    def wait_for(self, call: Any) -> Generator[Any, Any, list[object]]:
        """Wait for an activity, however many events arrive."""
        brought = []
        while not call.is_completed:
            yield self._context.task_any([*self._waits(), call])
            brought += yield from self._take()
        return brought

    def catch_up(self) -> Generator[Any, Any, list[object]]:
        """Wait until the host has taken all events, or until the event `once` has arrived.

        In the first case `continue_as_new` has to follow at once.
        """
        brought: list[object] = []
        while self.received and not self.once.is_completed:
            new = yield from self.wait_until(self._context.current_utc_datetime)
            if not new:
                break
            brought += new
        return brought

    def _waits(self) -> list[Any]:
        return [each for each in (self.once, self._next) if not each.is_completed]

    def _take(self) -> Generator[Any, Any, list[object]]:
        """Take the events that have arrived, and wait for the next."""
        brought = []
        while self._next.is_completed:
            brought.append(self._next.result)
            self._next = self._context.wait_for_external_event(self._each)
            timer: Any = self._context.create_timer(self._context.current_utc_datetime)
            yield self._context.task_any([self._next, timer])
            if not timer.is_completed:
                timer.cancel()
        self.received += len(brought)
        return brought
