"""Fan-out, fan-in: read all invoice files below a prefix, so many at once, into one summary.

POST /api/batches starts one batch a name: 202; 200 or 202 with the same answer where it is asked
again; 409 where the name was used for another prefix; 503 without a blob storage.
"""

from collections import Counter
from typing import Final, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities.blobs import RESULTS, BlobRef, Folder, delete_blobs, require_storage
from activities.invoice_files import (
    Dealing,
    Dealt,
    FileName,
    Shard,
    deal_invoice_files,
    load_batch_shard,
    read_invoice_file,
)
from activities.settings import number_setting
from activities.summaries import (
    Counts,
    FailedFile,
    Part,
    Summary,
    SummaryOrder,
    write_batch_part,
    write_batch_summary,
)
from http_api.bodies import Body, read_body
from http_api.problems import answers_problems, failures_as_503
from http_api.starting import start_once
from orchestration import limits
from orchestration.cancel_rules import on_cancel
from orchestration.children import children_for
from orchestration.ids import IdPart, batch_id
from orchestration.log import log_once
from orchestration.retrying import call_with_retry
from orchestration.settling import settle_map
from orchestration.showing import show_progress
from orchestration.steps import Steps

AT_ONCE: Final = 20  # unless the setting BATCH_AT_ONCE says otherwise
LANES: Final = 4  # a slow file holds up its own lane only

bp = df.Blueprint()


class BatchBody(Body):
    """Which files to read: those whose names begin with the prefix."""

    name: IdPart
    prefix: str = Field("", pattern=r"^[^\x00-\x1f\x7f\\]*$", max_length=limits.PREFIX_CHARS.most)


class BatchSettings(TypedDict):
    """What the settings say of a batch."""

    at_once: int


class Batch(TypedDict):
    """What is asked for, and the settings of that moment."""

    name: str
    prefix: str
    settings: BatchSettings


class ShardOrder(TypedDict):
    """A list of files to read, so many at once, and the name for what is found."""

    shard: BlobRef
    at_once: int
    part: str


class Found(Counts):
    """What was found in some shards: how much, and where."""

    parts: list[BlobRef]


class BatchResult(Counts):
    """What was found in all files; the summary has every invoice and every failure."""

    files: int
    failures: list[FailedFile]
    summary: BlobRef


@bp.route(route="batches", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_invoice_batch(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the batch in the body, once."""
    batch = read_body(req, BatchBody)
    with failures_as_503():
        await require_storage()
        settings = {"at_once": number_setting("BATCH_AT_ONCE", AT_ONCE, limits.FILES_AT_ONCE.most)}
    work = batch.model_dump(mode="json")
    return await start_once(req, client, "invoice_batch", batch_id(batch.name), work, settings)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", left="files with parts of results stay", starts_children=True)
def invoice_batch(context: df.DurableOrchestrationContext) -> Steps[BatchResult]:
    """Deal the files out to shards, read some shards at once, sum up what was found."""
    batch = cast(Batch, context.get_input())
    widths = lane_widths(batch["settings"]["at_once"])
    # A shard of a run that was cut off may go on: what it writes must not come into this one's way.
    work = f"{context.instance_id}/{context.new_uuid()}"

    show_progress(context, "listing", 0, of=0)
    dealing = Dealing(prefix=batch["prefix"], lanes=len(widths), folder=work)
    dealt: Dealt = yield from call_with_retry(context, deal_invoice_files, dealing)

    found = Found(read=0, failed=0, totals={}, parts=[])
    for first in range(0, len(dealt["shards"]), len(widths)):
        done = found["read"] + found["failed"]
        show_progress(context, "reading", done, of=dealt["files"])
        shards = enumerate(dealt["shards"][first : first + len(widths)], first)
        orders = {
            f"shard-{number:04}": ShardOrder(
                shard=shard, at_once=width, part=f"{work}/part-{number:04}.json"
            )
            for (number, shard), width in zip(shards, widths, strict=False)
        }
        children = children_for(context, batch_shard, orders)
        found = merged([found, *(yield context.task_all(children))])

    show_progress(context, "summing up", dealt["files"], of=dealt["files"])
    counts = Counts(read=found["read"], failed=found["failed"], totals=found["totals"])
    name = f"{context.instance_id}/summary.json"
    order = SummaryOrder(name=name, prefix=batch["prefix"], counts=counts, parts=found["parts"])
    summary: Summary = yield from call_with_retry(context, write_batch_summary, order)
    yield from call_with_retry(context, delete_blobs, Folder(container=RESULTS, prefix=f"{work}/"))

    show_progress(context, "summed up", dealt["files"], of=dealt["files"])
    log_once(context, "read %d files, failed on %d", counts["read"], counts["failed"])
    return BatchResult(
        **counts, files=dealt["files"], failures=summary["failures"], summary=summary["blob"]
    )


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", left="files with parts of results stay")
def batch_shard(context: df.DurableOrchestrationContext) -> Steps[Found]:
    """Read the files of one shard; one that cannot be read does not stop the others."""
    order = cast(ShardOrder, context.get_input())
    shard: Shard = yield from call_with_retry(context, load_batch_shard, order["shard"])
    names = [FileName(file=file) for file in shard["files"]]
    ends = yield from settle_map(context, read_invoice_file, names, order["at_once"])

    invoices = [end.value for end in ends if not end.failure]
    failures = [
        FailedFile(file=file, **end.failure.as_data())
        for file, end in zip(shard["files"], ends, strict=True)
        if end.failure
    ]
    part = Part(name=order["part"], invoices=invoices, failures=failures)
    blob: BlobRef = yield from call_with_retry(context, write_batch_part, part)

    totals: Counter[str] = Counter()
    for invoice in invoices:
        totals[invoice["currency"]] += invoice["amount_cents"]
    return Found(read=len(invoices), failed=len(failures), totals=dict(totals), parts=[blob])


def lane_widths(at_once: int) -> list[int]:
    """How many files each lane reads at once: together as many as allowed."""
    lanes = min(LANES, at_once)
    return [at_once // lanes + (lane < at_once % lanes) for lane in range(lanes)]


def merged(findings: list[Found]) -> Found:
    """What was found, all of it together."""
    totals: Counter[str] = Counter()
    for found in findings:
        totals.update(found["totals"])
    return Found(
        read=sum(found["read"] for found in findings),
        failed=sum(found["failed"] for found in findings),
        totals=dict(totals),
        parts=[part for found in findings for part in found["parts"]],
    )
