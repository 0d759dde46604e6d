"""What was found in a batch of files: parts, and the summary of all parts."""

import asyncio
import json
from typing import Any, Final, TypedDict

import azure.durable_functions as df

from activities import limits
from activities.blobs import RESULTS, BlobRef, blob_names, read_blob, write_blob
from activities.invoice_files import InvoiceFile

NAMED_FAILURES: Final = limits.FAILURES_NAMED.most

_PART_BYTES: Final = 4 * 2**20

bp = df.Blueprint()


class FailedFile(TypedDict):
    """A file that could not be read, and why."""

    file: str
    code: str
    message: str


class Part(TypedDict):
    """What was found in some files, and the name of the blob for it."""

    name: str
    invoices: list[InvoiceFile]
    failures: list[FailedFile]


class Counts(TypedDict):
    """How many files could be read, how many not, and the cents in each currency."""

    read: int
    failed: int
    totals: dict[str, int]


class SummaryOrder(TypedDict):
    """The prefix of the parts to sum up, and the name of the blob for the summary."""

    name: str
    prefix: str
    counts: Counts
    parts: str


class Summary(TypedDict):
    """Where the summary is, and the first files that could not be read."""

    blob: BlobRef
    failures: list[FailedFile]


@bp.activity_trigger(input_name="part")
async def write_batch_part(part: Part) -> BlobRef:
    """Keep what was found in some files. Overwrites what it wrote."""
    found = {"invoices": part["invoices"], "failures": part["failures"]}
    return await write_blob(RESULTS, part["name"], json.dumps(found).encode())


@bp.activity_trigger(input_name="order")
async def write_batch_summary(order: SummaryOrder) -> Summary:
    """Join the parts, in the order of their names. Overwrites what it wrote."""
    names = await blob_names(RESULTS, order["parts"], limits.BATCH_FILES.most)
    parts = await asyncio.gather(*map(_load, names))
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


async def _load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await read_blob(RESULTS, name, _PART_BYTES))
    return found
