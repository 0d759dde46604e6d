"""The kind of a document, and the reasons not to post it without a person."""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypedDict

import azure.durable_functions as df

from activities import limits
from activities.documents import DocumentFields
from activities.invoices import Invoice, validate_invoice
from activities.orders import match_order
from activities.outside import ask
from orchestration.failures import Failure

KINDS: Final = ("invoice", "credit note", "reminder", "statement")
_WORDS: Final = {"bill": "invoice", "tax invoice": "invoice", "dunning letter": "reminder"}
_PART: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CURRENCY: Final = re.compile("[A-Z]{3}")
_LONGEST_QUOTE: Final = 40

bp = df.Blueprint()


class Doubt(TypedDict):
    """Why a person must look: the field or check, a code, and a sentence."""

    about: str
    code: str
    message: str


class Assessment(TypedDict):
    """What was read, the reader's confidence, and the confidence that is enough."""

    fields: DocumentFields
    confidence: dict[str, float]
    sure_percent: int


class Classified(TypedDict):
    """The kind of a document (empty if unknown), the doubts, and the invoice if it is one."""

    kind: str
    doubts: list[Doubt]
    invoice: Invoice | None


class Check(TypedDict):
    """The name of a check, and the invoice to check."""

    check: str
    invoice: Invoice


class Checked(TypedDict):
    """What a check found: one doubt, or nothing."""

    doubts: list[Doubt]


def invoice_of(fields: DocumentFields) -> Invoice:
    """Return the fields in the form of the invoice intake."""
    return Invoice(
        vendor=fields["vendor"],
        number=fields["number"],
        order=fields["order"],
        amount_cents=fields["amount_cents"],
        currency=fields["currency"],
    )


@bp.activity_trigger(input_name="assessment")
def classify_document(assessment: Assessment) -> Classified:
    """Return the kind and the doubtful fields. It changes nothing, so it may run twice."""
    fields, confidence = assessment["fields"], assessment["confidence"]
    word = " ".join(re.split(r"[\s_-]+", fields["kind"].lower()))
    kind = _WORDS.get(word, word)
    if kind not in KINDS:
        message = f"the kind {_quoted(fields, 'kind')} is not one of {', '.join(KINDS)}"
        doubt = Doubt(about="kind", code="unknown", message=message)
        return Classified(kind="", doubts=[doubt], invoice=None)
    if kind != "invoice":
        confidence = {name: sure for name, sure in confidence.items() if name == "kind"}
    malformed = _malformed(fields) if kind == "invoice" else []
    about = {doubt["about"] for doubt in malformed}
    unsure = [
        Doubt(
            about=name,
            code="unsure",
            message=f"{_quoted(fields, name)} was read with {sure:.0%} confidence",
        )
        for name, sure in confidence.items()
        if sure < assessment["sure_percent"] / 100 and name not in about
    ]
    invoice = invoice_of(fields) if kind == "invoice" and not malformed else None
    return Classified(kind=kind, doubts=malformed + unsure, invoice=invoice)


@bp.activity_trigger(input_name="check")
async def check_invoice(check: Check) -> Checked:
    """Make one of CHECKS. It changes nothing, so it may run twice."""
    try:
        await CHECKS[check["check"]](check["invoice"])
    except Failure as failure:
        if failure.retriable or failure.code == "not_configured":
            raise
        return Checked(doubts=[Doubt(about=check["check"], **failure.as_data())])
    return Checked(doubts=[])


async def _in_known_currency(invoice: Invoice) -> None:
    validate_invoice(invoice)


async def _as_ordered(invoice: Invoice) -> None:
    await match_order(invoice)


async def _not_posted_yet(invoice: Invoice) -> None:
    query = {"kind": "invoice", "vendor": invoice["vendor"], "number": invoice["number"]}
    found: dict[str, Any] = await ask("postings", "GET", query=query)
    standing = [posting["id"] for posting in found["postings"] if not posting["reversed"]]
    if standing:
        message = f"invoice {invoice['number']} of {invoice['vendor']} is posted as {standing[0]}"
        raise Failure("already_posted", message)


# The checks of the invoice intake, and one more. After them, the intake refuses only a change.
CHECKS: Final[dict[str, Callable[[Invoice], Awaitable[None]]]] = {
    "currency": _in_known_currency,
    "order": _as_ordered,
    "postings": _not_posted_yet,
}


def _malformed(fields: DocumentFields) -> list[Doubt]:
    """Return a doubt for each field whose value no invoice can have."""
    is_right = {
        "vendor": _PART.fullmatch(fields["vendor"]),
        "number": _PART.fullmatch(fields["number"]),
        "order": _PART.fullmatch(fields["order"]),
        "amount_cents": 0 < fields["amount_cents"] <= limits.CENTS.most,
        "currency": _CURRENCY.fullmatch(fields["currency"]),
    }
    return [
        Doubt(about=name, code="malformed", message=f"{_quoted(fields, name)} cannot be right")
        for name, right in is_right.items()
        if not right
    ]


def _quoted(fields: DocumentFields, name: str) -> str:
    values: dict[str, Any] = {**fields}
    quoted = repr(values[name])
    return quoted if len(quoted) <= _LONGEST_QUOTE else f"{quoted[:_LONGEST_QUOTE]}…"
