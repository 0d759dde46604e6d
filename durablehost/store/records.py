"""A cache of instances and their histories, so that a running instance is read once."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from durablehost.hub.backend import Instance
from durablehost.hub.history import Event, to_text
from durablehost.store.tables import Tables

_CACHED_BYTES: Final = 32_000_000  # so that memory stays bounded
_BYTES_OF_ONE: Final = 1_000  # an instance or an event without its values


@dataclass(slots=True)
class Record:
    """An instance and its history."""

    number: int
    instance: Instance
    parts: int
    events: list[Event]
    texts: list[str]
    size: int = _BYTES_OF_ONE  # bytes, roughly

    def wants(self, execution_id: str | None) -> bool:
        """Whether a message for this execution, or for any, is for this instance."""
        return not self.instance.ended and execution_id in (None, self.instance.execution_id)


class Records:
    """Finds instances, and writes their changes. An instance often changes again before `write`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._cached = 0
        self._updated: dict[int, Instance] = {}  # by number
        self._appended: list[tuple[int, int, Sequence[str]]] = []

    @property
    def unwritten(self) -> int:
        """How many instances have changed since the last `write`."""
        return len(self._updated)

    def write(self) -> None:
        """Write all changes since the last call."""
        self._tables.update(self._updated)
        self._tables.add_histories(self._appended)
        self._updated, self._appended = {}, []

    def find(self, instance_id: str) -> Record | None:
        record = self._records.get(instance_id)
        if record is not None:
            self._records.move_to_end(instance_id)
            return record
        found = self._read(instance_id)
        if found is None:
            return None
        number, instance = found
        parts = self._tables.history(number)
        events = [event for part in parts for event in part]
        record = Record(number, instance, len(parts), events, [*map(to_text, events)])
        self._cache(record)
        self._grow(record, record.texts)
        self._bound()
        return record

    def _read(self, instance_id: str) -> tuple[int, Instance] | None:
        self.write()  # an instance that is not in the cache can have changed
        return self._tables.instance(instance_id)

    def insert(self, instance: Instance) -> None:
        """Add an instance without a history."""
        self._cache(Record(self._tables.insert(instance), instance, 0, [], []))
        self._bound()

    def _cache(self, record: Record) -> None:
        self._records[record.instance.id] = record
        self._cached += record.size

    def instance(self, instance_id: str) -> Instance | None:
        """An instance without its history; the history is not read."""
        record = self._records.get(instance_id)
        if record is not None:
            return record.instance
        found = self._read(instance_id)
        return found[1] if found else None

    def begin_anew(self, record: Record) -> None:
        """Drop the history."""
        self.write()
        self._tables.drop_history(record.number)
        self._cached -= record.size - _BYTES_OF_ONE
        record.parts, record.events, record.texts, record.size = 0, [], [], _BYTES_OF_ONE

    def append(self, record: Record, events: Sequence[Event]) -> None:
        texts = [to_text(event) for event in events]
        self._appended.append((record.number, record.parts, texts))
        record.parts += 1
        # New lists: a long episode may be reading the old ones on another thread.
        record.events = [*record.events, *events]
        record.texts = [*record.texts, *texts]
        self._grow(record, texts)

    def _grow(self, record: Record, texts: Sequence[str]) -> None:
        # Each event is kept parsed, too.
        more = _BYTES_OF_ONE * len(texts) + 2 * sum(map(len, texts))
        record.size += more
        self._cached += more

    def update(self, record: Record, instance: Instance) -> None:
        record.instance = instance
        self._updated[record.number] = instance

    def settle(self, instance: Instance) -> None:
        """Called after all changes: an ended instance leaves the cache."""
        if instance.ended:
            self._forget(instance.id)
        else:
            self._bound()

    def purge(self, instance_id: str) -> bool:
        """Delete an instance; whether there was one."""
        self.write()
        number = self._tables.number(instance_id)
        if number is None:
            return False
        self._forget(instance_id)
        self._tables.delete(number, instance_id)
        return True

    def _forget(self, instance_id: str) -> None:
        record = self._records.pop(instance_id, None)
        if record is not None:
            self._cached -= record.size

    def _bound(self) -> None:
        while self._cached > _CACHED_BYTES and len(self._records) > 1:
            self._forget(next(iter(self._records)))
