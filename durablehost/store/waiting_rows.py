"""The rows of waiting work: messages and activities. They are written at a flush.

Most messages are taken before the next flush. These are never written.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from durablehost.hub.backend import ActivityWork, Instance, Message, NewActivity
from durablehost.hub.history import Event, read_stamp, stamp, to_text
from durablehost.store.database import Database

_LISTED: Final = "(SELECT value FROM json_each(?))"


class WaitingRows:
    """Reads, adds and deletes these rows. All methods raise what `Database` does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._last_message = self._last_number("messages")
        self._last_activity = self._last_number("activities")
        self.forget_unwritten()

    def _last_number(self, table: str) -> int:
        return int(self._database.read(f"SELECT coalesce(max(number), 0) FROM {table}")[0][0])

    def forget_unwritten(self) -> None:
        """Forget what was added and deleted since the last `write`."""
        self._messages: dict[int, Message] = {}
        self._activities: list[ActivityWork] = []
        self._dropped_messages: list[int] = []
        self._dropped_activities: list[int] = []

    # Messages

    def messages(self) -> Iterator[tuple[int, Message]]:
        """All that were written, oldest first, with their numbers."""
        for number, target, execution_id, due, text in self._database.read_one_by_one(
            "SELECT number, target, execution_id, due, event FROM messages ORDER BY number"
        ):
            when = read_stamp(due) if due else None
            yield number, Message(target, self._database.parsed(text), execution_id, when)

    def event_of_message(self, number: int) -> Event:
        if (unwritten := self._messages.get(number)) is not None:
            return unwritten.event
        rows = self._database.read("SELECT event FROM messages WHERE number = ?", (number,))
        event: Event = self._database.parsed(rows[0][0])
        return event

    def add_message(self, message: Message) -> int:
        """Returns its number. Raises UnicodeEncodeError if the target cannot be written."""
        message.target.encode()  # at `write` it would take all others along
        self._last_message += 1
        self._messages[self._last_message] = message
        return self._last_message

    def drop_messages(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            if self._messages.pop(number, None) is None:
                self._dropped_messages.append(number)

    def drop_messages_for(self, target: str) -> bool:
        """Delete the messages for an instance. Returns whether there were any."""
        self.write()
        cursor = self._database.write("DELETE FROM messages WHERE target = ?", (target,))
        return cursor.rowcount > 0

    # Activities

    def activities(self) -> list[ActivityWork]:
        """All that were written, oldest first."""
        rows = self._database.read(
            "SELECT number, instance_id, execution_id, task_id, name, input"
            " FROM activities ORDER BY number"
        )
        return [ActivityWork(*row) for row in rows]

    def add_activity(self, instance: Instance, new: NewActivity) -> ActivityWork:
        self._last_activity += 1
        added = ActivityWork(
            self._last_activity,
            instance.id,
            instance.execution_id,
            new.task_id,
            new.name,
            new.input,
        )
        self._activities.append(added)
        return added

    def drop_activity(self, number: int) -> None:
        """Delete an activity, which has been written."""
        self._dropped_activities.append(number)

    # Writing

    def write(self) -> None:
        """Write all that was added and deleted since the last call."""
        self._database.write_all(
            "INSERT INTO messages (number, target, execution_id, due, event)"
            " VALUES (?, ?, ?, ?, ?)",
            [_row_of(number, message) for number, message in self._messages.items()],
        )
        self._database.write_all(
            "INSERT INTO activities (number, instance_id, execution_id, task_id, name, input)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [
                (one.receipt, one.instance_id, one.execution_id, one.task_id, one.name, one.input)
                for one in self._activities
            ],
        )
        self._delete("messages", self._dropped_messages)
        self._delete("activities", self._dropped_activities)
        self.forget_unwritten()

    def _delete(self, table: str, numbers: Sequence[int]) -> None:
        if numbers:
            self._database.write(
                f"DELETE FROM {table} WHERE number IN {_LISTED}", (json.dumps(numbers),)
            )


def _row_of(number: int, message: Message) -> tuple[Any, ...]:
    due = stamp(message.due) if message.due else None
    return number, message.target, message.execution_id, due, to_text(message.event)
