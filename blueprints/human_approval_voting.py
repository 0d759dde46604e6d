"""Votes of people: which of them count, and what they come to."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypedDict

from pydantic import BaseModel

from orchestration.showing import time_text

Choice = Literal["approve", "reject"]
Result = Literal["approved", "rejected", "expired"]

_RESULTS: Final[dict[Choice, Result]] = {"approve": "approved", "reject": "rejected"}


class Vote(BaseModel):
    """What somebody decided; `expires` tells the votes of one ballot from those of an earlier."""

    role: str
    expires: str
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
    """Who is asked, by role, who has decided, and until when; so many of a kind settle it."""

    needed: int
    until: datetime
    asked: dict[str, str]
    decisions: list[Decision] = field(default_factory=list)

    @property
    def expires(self) -> str:
        return time_text(self.until)

    @property
    def result(self) -> Result | None:
        """What the decisions come to so far."""
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

    def take(self, vote: Vote | None, now: datetime) -> bool:
        """Count a vote, unless it is none, late, of another ballot, or not its role's first."""
        if vote is None or now >= self.until or vote.expires != self.expires:
            return False
        if vote.role not in self.undecided:
            return False
        at = time_text(now)
        self.decisions.append(
            Decision(role=vote.role, decision=vote.decision, comment=vote.comment, at=at)
        )
        return True

    def as_status(self) -> dict[str, Any]:
        """How far it is. Comments are left out: a custom status over 16 KB fails its instance."""
        return {
            "done": len(self.decisions),
            "of": self.needed,
            "asked": sorted(self.asked),
            "decided": self.decided,
            "expires": self.expires,
        }
