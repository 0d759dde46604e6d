"""When the people of an approval are mailed: at first, again as a reminder, and after a failure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from orchestration.failures import Failure

EVEN_REMINDERS: Final = 7  # with the same pause before each; the pause doubles after them

# A mail that failed is sent again after 2, 4, 8, … seconds, for 20 hours.
FIRST_PAUSE: Final = timedelta(seconds=2)
LONGEST_PAUSE: Final = timedelta(minutes=20)
GIVE_UP_AFTER: Final = timedelta(hours=20)

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass
class _Person:
    """The mails to one person: how many arrived, and when the next one is due."""

    due: datetime
    began: datetime  # when the next mail was tried for the first time, or is due
    sent: int = 0
    attempts: int = 0
    failure: Failure | None = None  # why the person was not reached


@dataclass
class Mails:
    """The mails of one approval, by role."""

    remind_every: timedelta
    _people: dict[str, _Person] = field(default_factory=dict)

    def add(self, roles: Iterable[str], now: datetime) -> None:
        """Plan the first mails to these roles."""
        for role in roles:
            self._people.setdefault(role, _Person(due=now, began=now))

    def sent(self, role: str) -> int:
        """How many mails a role has received."""
        return self._people[role].sent

    def due(self, roles: Iterable[str], now: datetime) -> list[str]:
        """Those of these roles whose next mail is due."""
        return [role for role in roles if self._people[role].due <= now]

    def next_due(self, roles: Iterable[str]) -> datetime:
        """When the next mail to one of these roles is due."""
        return min((self._people[role].due for role in roles), default=_NEVER)

    def unreached(self, roles: Iterable[str]) -> list[Failure]:
        """Why those of these roles who have received no mail cannot be reached."""
        people = (self._people[role] for role in roles)
        return [person.failure for person in people if person.failure and not person.sent]

    def succeeded(self, role: str, now: datetime) -> None:
        """Plan the reminder. Later pauses double: each reminder makes the history longer."""
        person = self._people[role]
        person.sent, person.attempts, person.failure = person.sent + 1, 0, None
        person.due = now + self.remind_every * 2 ** max(person.sent - EVEN_REMINDERS, 0)
        person.began = person.due

    def failed(self, role: str, failure: Failure, now: datetime) -> None:
        """Plan the next attempt. After 20 hours, or a refusal, the next one is a reminder later."""
        person = self._people[role]
        person.attempts += 1
        again = now + min(FIRST_PAUSE * 2 ** min(person.attempts - 1, 20), LONGEST_PAUSE)
        if failure.retriable and again <= person.began + GIVE_UP_AFTER:
            person.due = again
        else:
            person.failure, person.attempts = failure, 0
            person.due = person.began = now + self.remind_every
