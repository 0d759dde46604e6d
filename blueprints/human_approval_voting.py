"""The votes on an approval: which events carry them, which votes count, and their result."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypedDict

from pydantic import BaseModel

from activities.clock import TimeText, time_text

Choice = Literal["approve", "reject"]
Result = Literal["approved", "rejected", "expired"]

# Not in OPEN_EVENTS: only the route that checks a token sends it.
DECIDED_EVENT: Final = "ApprovalDecided"

_RESULTS: Final[dict[Choice, Result]] = {"approve": "approved", "reject": "rejected"}


class Vote(BaseModel):
    """What the event of a role carries. `at` is when the route accepted the vote."""

    decision: Choice
    comment: str
    at: TimeText


class Decision(TypedDict):
    """A vote that counted."""

    role: str
    decision: Choice
    comment: str
    at: str


def decided_event(role: str, expires: str) -> str:
    """Return the name of the event that carries the vote of a role.

    `expires` separates two runs of one approval: a vote for the earlier run that arrives late has a
    name that the later run never waits for.
    """
    return f"{DECIDED_EVENT}:{role}:{expires}"


@dataclass
class Ballot:
    """Who is asked, by role, and what they decided. `needed` equal votes make the result."""

    needed: int
    until: datetime
    asked: dict[str, str]
    decisions: list[Decision] = field(default_factory=list)
    step: str = "asking"  # then "waiting", "escalated", and the result or "failed"

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
    def undecided(self) -> list[str]:
        """The roles that have not decided, in a fixed order: each replay must use the same."""
        return sorted(self.asked.keys() - self.decided.keys())

    def take(self, role: str, vote: Vote | None) -> bool:
        """Count a vote and return True. A malformed, late or second vote changes nothing.

        A vote is in time if it was accepted in time: it can arrive later, for example after the
        approval was suspended.
        """
        if vote is None or vote.at >= self.expires or role not in self.undecided:
            return False
        self.decisions.append(
            Decision(role=role, decision=vote.decision, comment=vote.comment, at=vote.at)
        )
        return True

    def escalate(self, people: dict[str, str]) -> None:
        """Ask more people, if there are any."""
        if people:
            self.asked |= people
            self.step = "escalated"

    def as_status(self) -> dict[str, Any]:
        """The progress. It leaves out comments: a custom status over 16 KB fails its instance."""
        return {
            "step": self.step,
            "done": len(self.decisions),
            "of": self.needed,
            "asked": sorted(self.asked),
            "decided": self.decided,
            "expires": self.expires,
        }
