"""The votes on an approval: the events that bring them, which count, and their result."""

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypedDict

import azure.durable_functions as df
from pydantic import BaseModel

from orchestration.events import event_data
from orchestration.showing import time_text

log = logging.getLogger(__name__)

Choice = Literal["approve", "reject"]
Result = Literal["approved", "rejected", "expired"]

# Not in OPEN_EVENTS: only the route that checks a token sends it.
DECIDED_EVENT: Final = "ApprovalDecided"

_RESULTS: Final[dict[Choice, Result]] = {"approve": "approved", "reject": "rejected"}


class Vote(BaseModel):
    """What the event of a role carries."""

    decision: Choice
    comment: str


class Decision(TypedDict):
    """A vote that counted."""

    role: str
    decision: Choice
    comment: str
    at: str


@dataclass
class Ballot:
    """Who is asked, by role, and what they decided. As many equal votes as `needed` settle it."""

    needed: int
    until: datetime
    asked: dict[str, str]
    decisions: list[Decision] = field(default_factory=list)

    @property
    def expires(self) -> str:
        return time_text(self.until)

    @property
    def result(self) -> Result | None:
        """The result, once enough people have decided the same."""
        for choice, result in _RESULTS.items():
            if sum(each["decision"] == choice for each in self.decisions) >= self.needed:
                return result
        return None

    @property
    def decided(self) -> dict[str, Choice]:
        return {decision["role"]: decision["decision"] for decision in self.decisions}

    @property
    def undecided(self) -> dict[str, str]:
        return {role: address for role, address in self.asked.items() if role not in self.decided}

    def take(self, role: str, vote: Vote | None, now: datetime) -> bool:
        """Count a vote. A malformed, late or second vote, or that of another role, changes nothing.

        Returns whether it counted.
        """
        if vote is None or now >= self.until or role not in self.undecided:
            return False
        self.decisions.append(
            Decision(role=role, decision=vote.decision, comment=vote.comment, at=time_text(now))
        )
        return True

    def as_status(self) -> dict[str, Any]:
        """The progress. It leaves out comments: a custom status over 16 KB fails its instance."""
        return {
            "done": len(self.decisions),
            "of": self.needed,
            "asked": sorted(self.asked),
            "decided": self.decided,
            "expires": self.expires,
        }


def decided_event(role: str, expires: str) -> str:
    """The event that brings the vote of a role.

    `expires` keeps apart two runs of one approval: a vote for the earlier run, which arrives late,
    has a name that the later run never waits for.
    """
    return f"{DECIDED_EVENT}:{role}:{expires}"


class Voting:
    """Receives the votes of everybody who is asked, and shows in the custom status who decided."""

    def __init__(self, context: df.DurableOrchestrationContext, ballot: Ballot) -> None:
        self.step = "asking"
        self._context, self._ballot = context, ballot
        self._waits: dict[str, Any] = {}

    def listen(self) -> list[Any] | None:
        """Count the votes that have arrived, and return the open waits, None once it is settled."""
        self.count()
        if self._ballot.result:
            return None
        for role in sorted(self._ballot.undecided.keys() - self._waits.keys()):
            event = decided_event(role, self._ballot.expires)
            self._waits[role] = self._context.wait_for_external_event(event)
        self.show()
        return [self._waits[role] for role in sorted(self._waits)]

    def count(self) -> None:
        """Count the votes that have arrived."""
        for role in [role for role, wait in self._waits.items() if wait.is_completed]:
            vote = event_data(self._waits.pop(role).result, Vote)
            counts = self._ballot.take(role, vote, self._context.current_utc_datetime)
            if not counts and not self._context.is_replaying:
                log.info(
                    "%s: a vote of %s does not count: %s", self._context.instance_id, role, vote
                )

    def show(self) -> None:
        """Set the custom status. The route that takes decisions reads it."""
        self._context.set_custom_status({"step": self.step} | self._ballot.as_status())
