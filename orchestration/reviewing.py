"""A person's review of what was read: what they decide, and how it is heard."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

import azure.durable_functions as df
from pydantic import BaseModel, ConfigDict, Field

from orchestration import limits
from orchestration.deadlines import first_of
from orchestration.events import event_data
from orchestration.ids import IdPart
from orchestration.steps import Steps

# None of the events that anybody may send: whoever sends it has shown a token.
REVIEWED_EVENT: Final = "DocumentReviewed"

_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"

Choice = Literal["accept", "correct", "reject"]
Kind = Literal["invoice", "credit note", "reminder", "statement"]


class Corrections(BaseModel):
    """What a document says, where it was read wrong."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    kind: Kind | None = None
    vendor: IdPart | None = None
    number: IdPart | None = None
    order: IdPart | None = None
    amount_cents: Annotated[int, Field(gt=0, le=limits.CENTS.most)] | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None

    def as_fields(self) -> dict[str, Any]:
        """Those that are corrected."""
        return self.model_dump(exclude_none=True)


class Review(BaseModel):
    """What a person decided; `expires` tells the reviews of one run from those of an earlier."""

    expires: str
    decision: Choice
    corrections: Corrections = Corrections()
    comment: str = ""


def expires_text(until: datetime) -> str:
    """A deadline as tokens and events carry it."""
    return until.strftime(_TIME)


def reviewed_event(number: int) -> str:
    """The event of one round, which is waited for once.

    The SDK keeps one event that comes while nobody waits for it, and gives it to every later wait
    for that name: waiting again for a name that was heard may hear the same for ever.
    """
    return f"{REVIEWED_EVENT}:{number}"


def hear_review(
    context: df.DurableOrchestrationContext, number: int, until: datetime
) -> Steps[Review | None]:
    """Wait for the review of a round; None where what came is none, or nothing did in time."""
    awaited: Any = context.wait_for_external_event(reviewed_event(number))
    heard = yield from first_of(context, [awaited], until - context.current_utc_datetime)
    review = event_data(heard.result, Review) if heard else None
    is_late = context.current_utc_datetime >= until
    return review if review and review.expires == expires_text(until) and not is_late else None
