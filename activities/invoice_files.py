"""Files of invoices: list them, and let the reader read them."""

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, TypedDict

import azure.durable_functions as df

from activities import limits
from activities.blobs import INVOICES, RESULTS, BlobRef, blob_names, read_blob, write_blob
from activities.outside import ask
from orchestration.failures import Failed, Failure

MAX_FILES: Final = limits.BATCH_FILES.most
MAX_FILE_BYTES: Final = limits.FILE_BYTES.most
FILES_A_PAGE: Final = 100

_LIST_BYTES: Final = 64 * 2**20  # ten thousand of the longest names
_CURRENCY: Final = re.compile("[A-Z]{3}")

bp = df.Blueprint()


class BatchFiles(TypedDict):
    """The prefix of the files, how many each lane reads at once, and the folder for the lists."""

    prefix: str
    widths: list[int]
    folder: str


class LaneFiles(TypedDict):
    """The list of the files of a lane, and how many of them the lane reads at once."""

    names: BlobRef
    files: int
    at_once: int


class Lanes(TypedDict):
    """The lanes that have files."""

    lanes: list[LaneFiles]


class PageQuery(TypedDict):
    """A list of files, and how many of them to skip."""

    names: BlobRef
    skip: int


class FilePage(TypedDict):
    """The names of some files."""

    files: list[str]


class FileName(TypedDict):
    """The name of one file."""

    file: str


class InvoiceFile(TypedDict):
    """The invoice in a file, and how sure the reader is of it."""

    file: str
    vendor: str
    number: str
    amount_cents: int
    currency: str
    confidence: float


class FileReading(TypedDict):
    """The invoice in a file, or why it could not be read and whether to try again."""

    file: str
    invoice: InvoiceFile | None
    failure: Failed | None
    try_again: bool


@bp.activity_trigger(input_name="batch")
async def list_invoice_files(batch: BatchFiles) -> Lanes:
    """Divide the files among lanes and write a list for each. Running twice writes the same."""
    names = await blob_names(INVOICES, batch["prefix"], MAX_FILES + 1)
    if len(names) > MAX_FILES:
        advice = "choose a longer prefix"
        raise Failure("too_many_files", f"there are over {MAX_FILES} files: {advice}")
    lanes: list[LaneFiles] = []
    for files, width in zip(shares(names, batch["widths"]), batch["widths"], strict=True):
        if files:
            name = f"{batch['folder']}/files-{len(lanes):02}.json"
            blob = await write_blob(RESULTS, name, json.dumps(files).encode())
            lanes.append(LaneFiles(names=blob, files=len(files), at_once=width))
    return Lanes(lanes=lanes)


@bp.activity_trigger(input_name="query")
async def load_file_names(query: PageQuery) -> FilePage:
    """Return the next names of a list. Only reads, so it may run twice."""
    content = await read_blob(query["names"]["container"], query["names"]["name"], _LIST_BYTES)
    return FilePage(files=json.loads(content)[query["skip"] :][:FILES_A_PAGE])


@bp.activity_trigger(input_name="name")
async def read_invoice_file(name: FileName) -> FileReading:
    """Let the reader read a file; a failure is a result as well. It changes nothing anywhere."""
    try:
        invoice = await _read(name["file"])
    except Failure as failure:
        return FileReading(
            file=name["file"],
            invoice=None,
            failure=failure.as_data(),
            try_again=failure.retriable,
        )
    return FileReading(file=name["file"], invoice=invoice, failure=None, try_again=False)


async def _read(file: str) -> InvoiceFile:
    content = await read_blob(INVOICES, file, MAX_FILE_BYTES)
    document = await ask("reader", "POST", "/documents", data=content)
    try:
        fields: dict[str, Any] = {n: field["value"] for n, field in document["fields"].items()}
        currency = str(fields.get("currency", "EUR"))
        if not _CURRENCY.fullmatch(currency):
            raise Failure("unreadable", f"{currency[:20]} is not a currency such as EUR")
        return InvoiceFile(
            file=file,
            vendor=str(fields["vendor"]),
            number=str(fields["number"]),
            amount_cents=int(fields["amount_cents"]),
            currency=currency,
            confidence=float(document["confidence"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Failure("unreadable", "the reader found no invoice in the file") from error


def shares(names: Sequence[str], widths: Sequence[int]) -> list[list[str]]:
    """Divide names in their order, in proportion to the widths."""
    ends = [len(names) * sum(widths[:lane]) // sum(widths) for lane in range(len(widths) + 1)]
    return [list(names[start:end]) for start, end in pairwise(ends)]
