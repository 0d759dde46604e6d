"""Files of invoices: where they lie, and what a reader makes of them."""

import json
import math
import re
from typing import Any, Final, TypedDict

import azure.durable_functions as df

from activities.blobs import INVOICES, RESULTS, BlobRef, blob_names, read_blob, write_blob
from activities.outside import ask
from orchestration import limits
from orchestration.failures import Failure

MAX_FILES: Final = limits.BATCH_FILES.most
MAX_FILE_BYTES: Final = limits.FILE_BYTES.most
FILES_A_SHARD: Final = 100

_LIST_BYTES: Final = 2**20
_CURRENCY: Final = re.compile("[A-Z]{3}")

bp = df.Blueprint()


class Dealing(TypedDict):
    """Which files to deal out, to how many lanes at least, and the folder for the lists of them."""

    prefix: str
    lanes: int
    folder: str


class Dealt(TypedDict):
    """How many files there are, and the lists of them."""

    files: int
    shards: list[BlobRef]


class Shard(TypedDict):
    """The names of some files."""

    files: list[str]


class FileName(TypedDict):
    """The name of one file."""

    file: str


class InvoiceFile(TypedDict):
    """What an invoice's file says, and how sure the reader is of it."""

    file: str
    vendor: str
    number: str
    amount_cents: int
    currency: str
    confidence: float


@bp.activity_trigger(input_name="dealing")
async def deal_invoice_files(dealing: Dealing) -> Dealt:
    """List the files and write the lists, one a shard. Running twice writes over what it wrote."""
    names = await blob_names(INVOICES, dealing["prefix"], MAX_FILES + 1)
    if len(names) > MAX_FILES:
        advice = "choose a longer prefix"
        raise Failure("too_many_files", f"there are over {MAX_FILES} files: {advice}")
    size = max(1, min(FILES_A_SHARD, math.ceil(len(names) / dealing["lanes"])))
    shards: list[BlobRef] = []
    for start in range(0, len(names), size):
        shard = Shard(files=names[start : start + size])
        name = f"{dealing['folder']}/files-{len(shards):04}.json"
        shards.append(await write_blob(RESULTS, name, json.dumps(shard).encode()))
    return Dealt(files=len(names), shards=shards)


@bp.activity_trigger(input_name="shard")
async def load_batch_shard(shard: BlobRef) -> Shard:
    """Return the names on a list. Only looks, so may run twice."""
    content = await read_blob(shard["container"], shard["name"], _LIST_BYTES)
    return Shard(files=json.loads(content)["files"])


@bp.activity_trigger(input_name="name")
async def read_invoice_file(name: FileName) -> InvoiceFile:
    """Have a file read. Neither the file nor the reader keeps anything of it, so may run twice."""
    content = await read_blob(INVOICES, name["file"], MAX_FILE_BYTES)
    document = await ask("reader", "POST", "/documents", data=content)
    fields: dict[str, Any] = {n: field["value"] for n, field in document["fields"].items()}
    currency = str(fields.get("currency", "EUR"))
    if not _CURRENCY.fullmatch(currency):
        raise Failure("unreadable", f"the currency {currency[:20]} is none such as EUR")
    return InvoiceFile(
        file=name["file"],
        vendor=str(fields["vendor"]),
        number=str(fields["number"]),
        amount_cents=int(fields["amount_cents"]),
        currency=currency,
        confidence=float(document["confidence"]),
    )
