"""Scanned documents: store a file, have it read, and put it into quarantine."""

import hashlib
import json
from datetime import timedelta
from typing import Any, Final, TypedDict

import azure.durable_functions as df
from pydantic import BaseModel, Field, ValidationError

from activities import limits
from activities.blobs import read_blob, write_blob
from activities.outside import ask
from activities.pdf_files import MAX_PDF_BYTES
from orchestration.failures import Failed, Failure

SCANS: Final = "scans"  # the container that scanners write to
DOCUMENTS: Final = "documents"  # one folder per document: the original, what was read, the decision
QUARANTINE: Final = (
    "quarantine"  # one folder per file that cannot be accepted: the file and the reason
)

READER_PATIENCE: Final = timedelta(minutes=2)

_PDF: Final = "application/pdf"
_ABOUT_THE_FILE: Final = frozenset({"not_a_document", "unreadable"})
_LONGEST_VALUE: Final = limits.FIELD_CHARS.most
_NAMED: Final = ("vendor", "number", "order", "amount_cents")

bp = df.Blueprint()


class DocumentFields(TypedDict):
    """The fields of a document, as far as they could be read."""

    kind: str
    vendor: str
    number: str
    order: str
    amount_cents: int
    currency: str


class Folder(TypedDict):
    """The folder of one document."""

    folder: str


class Reading(TypedDict):
    """What was read, with the reader's confidence in each field; or why it cannot be read."""

    fields: DocumentFields
    confidence: dict[str, float]
    refusal: Failed | None


class Decision(TypedDict):
    """The folder of a document, and what was decided on it."""

    folder: str
    decision: dict[str, Any]


class Refused(TypedDict):
    """The folder of a document, and why it is put into quarantine."""

    folder: str
    reason: Failed


class _ReadField(BaseModel):
    value: str | int
    confidence: float = Field(ge=0, le=1)


class _ReaderAnswer(BaseModel):
    fields: dict[str, _ReadField]


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def store_original(folder: str, content: bytes) -> None:
    """Store a file as it arrived. Its name is the hash of its content: a repeat changes nothing."""
    await write_blob(DOCUMENTS, _original(folder), content, _PDF, overwrite=False)


async def load_original(folder: str) -> bytes:
    """Return the file of a document. Raises Failure `unknown_blob`."""
    return await read_blob(DOCUMENTS, _original(folder), MAX_PDF_BYTES)


async def quarantine(folder: str, reason: dict[str, Any], content: bytes | None) -> None:
    """Store a file and the reason in quarantine. `content` is None if the file is too large."""
    if content is not None:
        await write_blob(QUARANTINE, _original(folder), content, _PDF)
    await write_blob(QUARANTINE, f"{folder}/reason.json", json.dumps(reason).encode())


@bp.activity_trigger(input_name="document")
async def read_document(document: Folder) -> Reading:
    """Have a file read and store the answer. A second run overwrites what the first one wrote."""
    content = await load_original(document["folder"])
    try:
        answer = await ask("reader", "POST", "/documents", data=content, within=READER_PATIENCE)
    except Failure as failure:
        if failure.code not in _ABOUT_THE_FILE:
            raise
        return Reading(fields=_fields({}), confidence={}, refusal=failure.as_data())
    try:
        read = _ReaderAnswer.model_validate(answer).fields
    except ValidationError as error:
        message = "the reader's answer does not have the expected form"
        raise Failure("reader_unavailable", message, retriable=True) from error
    await write_blob(DOCUMENTS, f"{document['folder']}/extracted.json", json.dumps(answer).encode())
    confidence = {name: read[name].confidence if name in read else 0.0 for name in _NAMED}
    confidence |= {name: read[name].confidence for name in ("kind", "currency") if name in read}
    values = {name: field.value for name, field in read.items()}
    return Reading(fields=_fields(values), confidence=confidence, refusal=None)


@bp.activity_trigger(input_name="decision")
async def store_document_decision(decision: Decision) -> None:
    """Store a decision beside its document. A second run overwrites what the first one wrote."""
    content = json.dumps(decision["decision"]).encode()
    await write_blob(DOCUMENTS, f"{decision['folder']}/decision.json", content)


@bp.activity_trigger(input_name="refused")
async def quarantine_document(refused: Refused) -> None:
    """Put a document into quarantine. A second run overwrites what the first one wrote."""
    content = await load_original(refused["folder"])
    await quarantine(refused["folder"], {**refused["reason"]}, content)


def _original(folder: str) -> str:
    return f"{folder}/original.pdf"


def _fields(values: dict[str, str | int]) -> DocumentFields:
    """Return what was read, each text cut: a reader may take a page for the name of a vendor."""

    def text(name: str, otherwise: str = "") -> str:
        read = str(values.get(name, otherwise))
        legible = "".join(each if each.isprintable() else " " for each in read)
        return " ".join(legible.split())[:_LONGEST_VALUE]

    amount = values.get("amount_cents", 0)
    return DocumentFields(
        kind=text("kind", "invoice"),
        vendor=text("vendor"),
        number=text("number"),
        order=text("order"),
        amount_cents=amount if isinstance(amount, int) else 0,
        currency=text("currency", "EUR"),
    )
