"""Fan-out, fan-in: read all invoice files below a prefix, some at once, and sum them up.

POST /api/batches starts the batch of that name and returns 202. Repeating the request returns the
same operation (202 while it runs, 200 when it has ended). Returns 409 if the name was used for
another prefix, and 503 if there is no blob storage.
"""

import logging
from collections import Counter
from collections.abc import Generator, Iterable
from typing import Any, Final, Literal, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import limits
from activities.blobs import RESULTS, BlobRef, Folder, delete_blobs, require_storage
from activities.ids import IdPart, batch_id, child_id
from activities.invoice_files import (
    BatchFiles,
    FileName,
    FilePage,
    LaneFiles,
    Lanes,
    PageQuery,
    list_invoice_files,
    load_file_names,
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
from blueprints.operations_children import end_all_children, watch_children
from http_api.bodies import Body, read_body
from http_api.problems import answers_problems, failures_as_503
from http_api.starting import start_once
from orchestration.cancel_rules import on_cancel
from orchestration.cancelling import Cancellable, Cancelled
from orchestration.failures import Failure
from orchestration.retrying import call_with_retry
from orchestration.settling import settle, settle_map

AT_ONCE: Final = 20  # files, unless the setting BATCH_AT_ONCE says otherwise
LANES: Final = 4  # a slow file delays only the files in its own lane

bp = df.Blueprint()
log = logging.getLogger(__name__)


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


class Lane(TypedDict):
    """The files of one lane, the prefix of the blobs for their parts, and what was found so far."""

    files: LaneFiles
    parts: str
    found: Counts


class BatchResult(Counts):
    """What was found in all files; the summary has every invoice and every failure."""

    outcome: Literal["summed_up", "cancelled"]
    reason: str | None
    files: int
    failures: list[FailedFile]
    summary: BlobRef | None


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
@on_cancel("ends_itself", left="files with parts of results stay", starts_children=True)
def invoice_batch(context: df.DurableOrchestrationContext) -> Generator[Any, Any, BatchResult]:
    """Share the files out over lanes, wait for all lanes, and sum up what was found."""
    batch = cast(Batch, context.get_input())
    cancellable = Cancellable(context)
    # A lane of an earlier run may still write, so each run has a folder of its own.
    folder = f"{context.instance_id}/{context.new_uuid()}"
    lanes: dict[str, Any] = {}
    files = 0
    try:
        context.set_custom_status({"step": "listing", "done": 0, "of": files})
        widths = lane_widths(batch["settings"]["at_once"])
        listing = BatchFiles(prefix=batch["prefix"], widths=widths, folder=folder)
        shared_out: Lanes = yield from cancellable.call(list_invoice_files, listing)
        files = sum(lane["files"] for lane in shared_out["lanes"])

        context.set_custom_status({"step": "reading", "done": 0, "of": files})
        # Each run has children of its own: those of a terminated run may still be running.
        run = context.new_uuid()[:8]
        lanes = {}
        for name, lane in lane_orders(shared_out["lanes"], folder).items():
            lane_id = child_id(context.instance_id, f"{name}-{run}")
            lanes[lane_id] = context.call_sub_orchestrator(
                batch_lane, lane, instance_id=lane_id, expected_type=dict
            )
        yield from watch_children(
            context,
            lanes,
            cancellable.word,
            lambda seen: context.set_custom_status(
                {"step": "reading", "done": done_in(seen), "of": files}
            ),
        )
        cancellable.check()
        found = added_up((yield from _results(context, list(lanes.values()))))

        context.set_custom_status({"step": "summing up", "done": files, "of": files})
        order = SummaryOrder(
            name=f"{context.instance_id}/summary.json",
            prefix=batch["prefix"],
            counts=found,
            parts=f"{folder}/part-",
        )
        summary: Summary = yield from cancellable.call(write_batch_summary, order)
    except Cancelled as cancelled:
        yield from end_all_children(context, cancelled.reason, lanes.values())
        yield from _clean_up(context, folder)
        context.set_custom_status({"step": "cancelled", "done": 0, "of": files})
        return BatchResult(
            **NOTHING,
            outcome="cancelled",
            reason=cancelled.reason,
            files=files,
            failures=[],
            summary=None,
        )
    except Failure:
        yield from _clean_up(context, folder)
        raise

    yield from _clean_up(context, folder)
    context.set_custom_status({"step": "summed up", "done": files, "of": files})
    if not context.is_replaying:
        log.info(
            "%s: read %d files, failed on %d", context.instance_id, found["read"], found["failed"]
        )
    return BatchResult(
        **found,
        outcome="summed_up",
        reason=None,
        files=files,
        failures=summary["failures"],
        summary=summary["blob"],
    )


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", left="files with parts of results stay")
def batch_lane(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Counts | None]:
    """Read the next files of a lane, keep what was found, and continue as new with the rest."""
    lane = cast(Lane, context.get_input())
    done = lane["found"]["read"] + lane["found"]["failed"]
    context.set_custom_status({"step": "reading", "done": done, "of": lane["files"]["files"]})
    query = PageQuery(names=lane["files"]["names"], skip=done)
    page: FilePage = yield from call_with_retry(context, load_file_names, query)
    names = [FileName(file=file) for file in page["files"]]
    ends = yield from settle_map(context, read_invoice_file, names, lane["files"]["at_once"])

    invoices = [end.value for end in ends if not end.failure]
    failures = [
        FailedFile(file=file, **end.failure.as_data())
        for file, end in zip(page["files"], ends, strict=True)
        if end.failure
    ]
    part = Part(name=f"{lane['parts']}-{done:05}.json", invoices=invoices, failures=failures)
    yield from call_with_retry(context, write_batch_part, part)

    totals: Counter[str] = Counter()
    for invoice in invoices:
        totals[invoice["currency"]] += invoice["amount_cents"]
    here = Counts(read=len(invoices), failed=len(failures), totals=dict(totals))
    found = added_up([lane["found"], here])
    if done + len(names) >= lane["files"]["files"]:
        return found
    context.continue_as_new({**lane, "found": found})
    return None


def lane_widths(at_once: int) -> list[int]:
    """How many files each lane reads at once: together as many as allowed."""
    lanes = min(LANES, at_once)
    return [at_once // lanes + (lane < at_once % lanes) for lane in range(lanes)]


def lane_orders(lanes: list[LaneFiles], folder: str) -> dict[str, Lane]:
    """The input of each lane, by its name."""
    return {
        f"lane-{number}": Lane(files=files, parts=f"{folder}/part-{number:02}", found=NOTHING)
        for number, files in enumerate(lanes)
    }


def added_up(counts: Iterable[Counts]) -> Counts:
    """All counts together."""
    read, failed, totals = 0, 0, Counter[str]()
    for each in counts:
        read += each["read"]
        failed += each["failed"]
        totals.update(each["totals"])
    return Counts(read=read, failed=failed, totals=dict(totals))


def done_in(lane_statuses: Iterable[dict[str, Any] | None]) -> int:
    """How many files the lanes have done; a lane that has not begun has no status."""
    return sum(status["done"] for status in lane_statuses if status)


def _results(
    context: df.DurableOrchestrationContext, lanes: list[Any]
) -> Generator[Any, Any, list[Counts]]:
    """What the lanes found. Raises the Failure of the first lane that failed."""
    ends = yield from settle(context, lanes)
    for end in ends:
        if end.failure:
            raise end.failure
    return [end.value for end in ends]


def _clean_up(context: df.DurableOrchestrationContext, folder: str) -> Generator[Any, Any, None]:
    """Delete the files of this run. If that fails, the batch has ended all the same."""
    order = Folder(container=RESULTS, prefix=f"{folder}/")
    [end] = yield from settle_map(context, delete_blobs, [order], 1)
    if end.failure and not context.is_replaying:
        log.info("%s: %s is not cleaned up: %s", context.instance_id, folder, end.failure)


NOTHING: Final = Counts(read=0, failed=0, totals={})
