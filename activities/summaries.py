"""What was found in a batch of files: a part a shard, and the summary of all parts."""

import asyncio
import json
from typing import Any, Final, TypedDict

import azure.durable_functions as df

from activities.blobs import RESULTS, BlobRef, read_blob, write_blob
from activities.invoice_files import InvoiceFile
from orchestration import limits

NAMED_FAILURES: Final = limits.FAILURES_NAMED.most

_PART_BYTES: Final = 4 * 2**20

bp = df.Blueprint()


class FailedFile(TypedDict):
    """A file that could not be read, and why."""

    file: str
    code: str
    message: str


class Part(TypedDict):
    """What was found in the files of one shard, and the name that it is kept under."""

    name: str
    invoices: list[InvoiceFile]
    failures: list[FailedFile]


class Counts(TypedDict):
    """How many files could be read, how many not, and the cents in each currency."""

    read: int
    failed: int
    totals: dict[str, int]


class SummaryOrder(TypedDict):
    """What to sum up, and the name to keep it under."""

    name: str
    prefix: str
    counts: Counts
    parts: list[BlobRef]


class Summary(TypedDict):
    """Where the summary is, and the first files that could not be read."""

    blob: BlobRef
    failures: list[FailedFile]


@bp.activity_trigger(input_name="part")
async def write_batch_part(part: Part) -> BlobRef:
    """Keep what was found in a shard. Running twice writes over what it wrote."""
    found = {"invoices": part["invoices"], "failures": part["failures"]}
    return await write_blob(RESULTS, part["name"], json.dumps(found).encode())


@bp.activity_trigger(input_name="order")
async def write_batch_summary(order: SummaryOrder) -> Summary:
    """Join the parts into one summary. Running twice writes over what it wrote."""
    parts = await asyncio.gather(*map(_load, order["parts"]))
    invoices = [invoice for part in parts for invoice in part["invoices"]]
    failures = [failure for part in parts for failure in part["failures"]]
    summary = {
        "prefix": order["prefix"],
        **order["counts"],
        "invoices": invoices,
        "failures": failures,
    }
    blob = await write_blob(RESULTS, order["name"], json.dumps(summary).encode())
    return Summary(blob=blob, failures=failures[:NAMED_FAILURES])


async def _load(part: BlobRef) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await read_blob(RESULTS, part["name"], _PART_BYTES))
    return found
