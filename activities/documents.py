"""Scanned documents: kept, read, classified, and put aside where they cannot be read."""

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
DOCUMENTS: Final = "documents"  # a folder a document: original, what was read in it, the decision
QUARANTINE: Final = "quarantine"  # a folder a file that is not read again: the file, and why

READER_PATIENCE: Final = timedelta(minutes=2)

_PDF: Final = "application/pdf"
_ABOUT_THE_FILE: Final = frozenset({"not_a_document", "unreadable"})
_LONGEST_VALUE: Final = limits.FIELD_CHARS.most
_NAMED: Final = ("vendor", "number", "order", "amount_cents")

bp = df.Blueprint()


class DocumentFields(TypedDict):
    """What a document says, as far as it could be read."""

    kind: str
    vendor: str
    number: str
    order: str
    amount_cents: int
    currency: str


class Folder(TypedDict):
    """Where everything of one document lies."""

    folder: str


class Reading(TypedDict):
    """What was read, and how sure the reader is of each field; or why the file cannot be read."""

    fields: DocumentFields
    confidence: dict[str, float]
    refusal: Failed | None


class Decided(TypedDict):
    """A document's folder, and what was decided on it."""

    folder: str
    decision: dict[str, Any]


class Refused(TypedDict):
    """A document's folder, and why it is put aside."""

    folder: str
    reason: Failed


class _ReadField(BaseModel):
    value: str | int
    confidence: float = Field(ge=0, le=1)


class _ReaderAnswer(BaseModel):
    fields: dict[str, _ReadField]


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def keep_original(folder: str, content: bytes) -> None:
    """Keep a file as it came. It is named by what is in it, so a second time changes nothing."""
    await write_blob(DOCUMENTS, _original(folder), content, _PDF, overwrite=False)


async def load_original(folder: str) -> bytes:
    """Return a document's file. Raises Failure `unknown_blob`."""
    return await read_blob(DOCUMENTS, _original(folder), MAX_PDF_BYTES)


async def quarantine(folder: str, reason: dict[str, Any], content: bytes | None) -> None:
    """Put a file aside with the reason; without content where it is too large to carry about."""
    if content is not None:
        await write_blob(QUARANTINE, _original(folder), content, _PDF)
    await write_blob(QUARANTINE, f"{folder}/reason.json", json.dumps(reason).encode())


@bp.activity_trigger(input_name="document")
async def read_document(document: Folder) -> Reading:
    """Have a file read, keep what the reader says. Running twice writes over what it wrote."""
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
        message = "the reader's answer has another form than it should"
        raise Failure("reader_unavailable", message, retriable=True) from error
    await write_blob(DOCUMENTS, f"{document['folder']}/extracted.json", json.dumps(answer).encode())
    confidence = {name: read[name].confidence if name in read else 0.0 for name in _NAMED}
    confidence |= {name: read[name].confidence for name in ("kind", "currency") if name in read}
    values = {name: field.value for name, field in read.items()}
    return Reading(fields=_fields(values), confidence=confidence, refusal=None)


@bp.activity_trigger(input_name="decided")
async def keep_document_decision(decided: Decided) -> None:
    """Keep what was decided beside the document. Running twice writes over what it wrote."""
    content = json.dumps(decided["decision"]).encode()
    await write_blob(DOCUMENTS, f"{decided['folder']}/decision.json", content)


@bp.activity_trigger(input_name="refused")
async def quarantine_document(refused: Refused) -> None:
    """Put a document aside that cannot be read. Running twice writes over what it wrote."""
    content = await load_original(refused["folder"])
    await quarantine(refused["folder"], {**refused["reason"]}, content)


def _original(folder: str) -> str:
    return f"{folder}/original.pdf"


def _fields(values: dict[str, str | int]) -> DocumentFields:
    """What was read in the form that travels: a reader may take a page for a vendor's name."""

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
