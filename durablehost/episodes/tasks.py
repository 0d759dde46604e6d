"""The tasks that an action list has scheduled, by their ids, and which of them are open."""

from durablehost.episodes.changed_code import compare
from durablehost.episodes.scheduled import Scheduled
from durablehost.episodes.waits import Wait
from durablehost.hub.history import Event


class Tasks:
    """Gives ids to tasks, in the order of the real host."""

    def __init__(self) -> None:
        self._next_id = 0
        self._waits: dict[int, Wait] = {}
        self._parked: dict[int, Scheduled] = {}
        self.scheduled: dict[int, Scheduled] = {}  # and not in the history
        self.open: dict[int, Scheduled] = {}
        self.matched: list[tuple[Event, Scheduled]] = []

    def take_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1

    def schedule(self, scheduled: Scheduled) -> Wait:
        """Add a task that is open until `close`."""
        self.scheduled[scheduled.id] = scheduled
        self.open[scheduled.id] = scheduled
        wait = self._waits[scheduled.id] = Wait()
        return wait

    def send(self, scheduled: Scheduled) -> None:
        """Add a task that nothing waits for: the reply of an entity is an event."""
        self.scheduled[scheduled.id] = scheduled

    def close(self, task_id: int, *, failed: bool = False) -> None:
        wait = self._waits.pop(task_id, None)
        self.open.pop(task_id, None)
        if wait is not None:
            wait.finish(failed=failed)

    def match(self, event: Event) -> Scheduled:
        """Remove a task that the history has. Raises NonDeterministic."""
        scheduled = compare(event, self.scheduled.get(event["EventId"]))
        del self.scheduled[scheduled.id]
        self.matched.append((event, scheduled))
        return scheduled

    def park(self) -> None:
        """Hold back all tasks while the instance is suspended."""
        self._parked.update(self.scheduled)
        self.scheduled.clear()

    def unpark(self) -> None:
        self.scheduled.update(self._parked)
        self._parked.clear()
