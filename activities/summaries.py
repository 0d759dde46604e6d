"""The results of a batch of files: parts, and the summary of all parts."""

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
    """The results of some files, and the name of the blob for them."""

    name: str
    invoices: list[InvoiceFile]
    failures: list[FailedFile]


class Counts(TypedDict):
    """How many files were read, how many failed, and the cents in each currency."""

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
    """The blob with the summary, and the first files that could not be read."""

    blob: BlobRef
    failures: list[FailedFile]


@bp.activity_trigger(input_name="part")
async def write_batch_part(part: Part) -> BlobRef:
    """Write the results of some files. Running twice writes the same."""
    found = {"invoices": part["invoices"], "failures": part["failures"]}
    return await write_blob(RESULTS, part["name"], json.dumps(found).encode())


@bp.activity_trigger(input_name="order")
async def write_batch_summary(order: SummaryOrder) -> Summary:
    """Join the parts in the order of their names. Running twice writes the same."""
    has_parts = order["counts"]["read"] + order["counts"]["failed"] > 0
    # Without parts, the container may not exist yet.
    names = await blob_names(RESULTS, order["parts"], limits.BATCH_FILES.most) if has_parts else []
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
