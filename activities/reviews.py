"""Reviews: the mail that asks a person about a document, and the settings that say when."""

import os
from typing import Final, TypedDict

import azure.durable_functions as df

from activities import limits
from activities.decision_tokens import DecisionGrant
from activities.document_checks import Doubt
from activities.documents import DocumentFields
from activities.links import link_to
from activities.messages import Message, send_message
from activities.settings import number_setting

# Unless the settings REVIEW_SURE_PERCENT, REVIEW_HOURS and REVIEWER say otherwise.
SURE_PERCENT: Final = 80
REVIEW_HOURS: Final = 48
REVIEWER: Final = "reviewer@example.com"

bp = df.Blueprint()


class ReviewTerms(TypedDict):
    """How sure the reader must be, and how long a person may take."""

    sure_percent: int
    review_hours: int


class ReviewRequest(TypedDict):
    """A document to review: the round, what was read, and what is doubtful."""

    document: str
    round: int
    expires: str
    fields: DocumentFields
    doubts: list[Doubt]


def review_terms() -> ReviewTerms:
    """Return the current settings. Raises Failure `not_configured`."""
    return ReviewTerms(
        sure_percent=number_setting("REVIEW_SURE_PERCENT", SURE_PERCENT, most=limits.PERCENT.most),
        review_hours=number_setting("REVIEW_HOURS", REVIEW_HOURS, most=limits.PATIENCE_HOURS.most),
    )


def role_of_round(number: int) -> str:
    """Return the role in the link of a round: each round has its own link."""
    return f"reviewer-{number}"


@bp.activity_trigger(input_name="request")
async def request_document_review(request: ReviewRequest) -> str:
    """Mail the link to decide with. The key of a round makes it one mail if this runs twice."""
    grant = DecisionGrant(request["document"], role_of_round(request["round"]), request["expires"])
    lines = [
        "A person must look at a document before it can be posted:",
        *(f"- {doubt['about']}: {doubt['message']}" for doubt in request["doubts"]),
        f"The document itself: {link_to('documents/{id}/original', grant)}",
        f"Accept, correct or reject it once, until {grant.expires}:",
        link_to("documents/{id}/decisions", grant),
    ]
    fields = request["fields"]
    what = f"{fields['number'] or 'a document'} of {fields['vendor'] or 'somebody'}"
    message = Message(
        to=os.environ.get("REVIEWER") or REVIEWER,
        subject=f"look at {what}"[:200],
        text="\n".join(lines),
        key=f"{grant.operation}:{grant.expires}:{grant.role}",
    )
    return await send_message(message)
