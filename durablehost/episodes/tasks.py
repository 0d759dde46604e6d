"""What an action list has scheduled, by the id that each was given, and what of it is open."""

from durablehost.episodes.changed_code import another, missing
from durablehost.episodes.scheduled import KINDS, Scheduled
from durablehost.episodes.waits import Wait
from durablehost.hub.history import Event


class Tasks:
    """Ids are given out in order, here as on the real host."""

    def __init__(self) -> None:
        self._next_id = 0
        self._waits: dict[int, Wait] = {}
        self._parked: dict[int, Scheduled] = {}
        self.scheduled: dict[int, Scheduled] = {}  # decided, and not yet in the history
        self.open: dict[int, Scheduled] = {}
        self.matched: list[tuple[Event, Scheduled]] = []

    def take_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1

    def schedule(self, scheduled: Scheduled) -> Wait:
        """To be waited for until `close`."""
        self.scheduled[scheduled.id] = scheduled
        self.open[scheduled.id] = scheduled
        wait = self._waits[scheduled.id] = Wait()
        return wait

    def send(self, scheduled: Scheduled) -> None:
        """Nothing waits for it here: an entity answers by an event."""
        self.scheduled[scheduled.id] = scheduled

    def close(self, task_id: int, *, failed: bool = False) -> None:
        wait = self._waits.pop(task_id, None)
        self.open.pop(task_id, None)
        if wait is not None:
            wait.finish(failed=failed)

    def match(self, event: Event) -> Scheduled:
        """What stands in the history is scheduled no more. Raises NonDeterministic."""
        scheduled = self.scheduled.get(event["EventId"])
        if scheduled is None:
            raise missing(event)
        if not isinstance(scheduled, KINDS[event["EventType"]]):
            raise another(event, scheduled)
        self.matched.append((event, self.scheduled.pop(event["EventId"])))
        return scheduled

    def park(self) -> None:
        """While suspended, nothing that was decided is carried out."""
        self._parked.update(self.scheduled)
        self.scheduled.clear()

    def unpark(self) -> None:
        self.scheduled.update(self._parked)
        self._parked.clear()
