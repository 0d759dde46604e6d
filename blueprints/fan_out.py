"""Fan-out, fan-in: read all invoice files below a prefix, many in parallel, and sum them up.

POST /api/batches starts the batch of that name and returns 202. Repeating the request returns the
same operation (202 while it runs, 200 when it has ended). Returns 409 if the name was used for
another prefix, and 503 if there is no blob storage.
"""

import logging
from collections import Counter
from collections.abc import Generator, Iterable
from datetime import timedelta
from typing import Any, Final, TypedDict, cast

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
    FileReading,
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
from http_api.bodies import Body, read_body
from http_api.problems import answers_problems, failures_as_problems
from http_api.starting import start_once
from orchestration.cancel_rules import on_cancel

AT_ONCE: Final = 20  # files, unless the setting BATCH_AT_ONCE says otherwise
LANES: Final = 4  # a slow file delays only the files in its own lane
# A file that could not be read is tried again after these pauses.
PAUSES: Final = (timedelta(seconds=5), timedelta(seconds=10), timedelta(seconds=20))
# For work with blobs. It repeats `too_many_files` as well, which costs half a minute.
RETRY: Final = df.RetryOptions(
    first_retry_interval_in_milliseconds=10_000, max_number_of_attempts=4
)
LEFT: Final = "files with parts of results stay until the batch runs again"

bp = df.Blueprint()
log = logging.getLogger(__name__)


class BatchBody(Body):
    """Which files to read: those whose names begin with the prefix."""

    name: IdPart
    prefix: str = Field("", pattern=r"^[^\x00-\x1f\x7f\\]*$", max_length=limits.PREFIX_CHARS.most)


class BatchSettings(TypedDict):
    """The settings when the batch was started."""

    at_once: int


class Batch(TypedDict):
    """The input of a batch."""

    name: str
    prefix: str
    settings: BatchSettings


class Lane(TypedDict):
    """The files of one lane, the prefix of the blobs for its results, and its counts so far."""

    files: LaneFiles
    parts: str
    counts: Counts


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
    """Start the batch in the body."""
    batch = read_body(req, BatchBody)
    with failures_as_problems():
        await require_storage()
        settings = {"at_once": number_setting("BATCH_AT_ONCE", AT_ONCE, limits.FILES_AT_ONCE.most)}
    work = batch.model_dump(mode="json")
    return await start_once(req, client, "invoice_batch", batch_id(batch.name), work, settings)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", left=LEFT, starts_children=True)
def invoice_batch(context: df.DurableOrchestrationContext) -> Generator[Any, Any, BatchResult]:
    """Divide the files among lanes, wait for all lanes, and write one summary."""
    batch = cast(Batch, context.get_input())
    parts = f"{context.instance_id}/parts/"
    # Each run has its own folder and lanes: a lane of a terminated run may still write.
    run = context.new_uuid()[:8]
    folder = f"{parts}{run}"

    context.set_custom_status({"step": "listing", "done": 0, "of": 0})
    widths = lane_widths(batch["settings"]["at_once"])
    listing = BatchFiles(prefix=batch["prefix"], widths=widths, folder=folder)
    divided: Lanes = yield context.call_activity_with_retry(list_invoice_files, RETRY, listing)
    files = sum(lane["files"] for lane in divided["lanes"])

    context.set_custom_status({"step": "reading", "done": 0, "of": files})
    lanes = [
        context.call_sub_orchestrator(
            batch_lane,
            Lane(files=lane, parts=f"{folder}/part-{number:02}", counts=NOTHING),
            instance_id=child_id(context.instance_id, f"lane-{number}-{run}"),
            expected_type=dict,
        )
        for number, lane in enumerate(divided["lanes"])
    ]
    # task_all([]) returns None.
    counts = added_up((yield context.task_all(lanes)) if lanes else [])

    context.set_custom_status({"step": "summing up", "done": files, "of": files})
    order = SummaryOrder(
        name=f"{context.instance_id}/summary.json",
        prefix=batch["prefix"],
        counts=counts,
        parts=f"{folder}/part-",
    )
    summary: Summary = yield context.call_activity_with_retry(write_batch_summary, RETRY, order)
    try:
        whole = Folder(container=RESULTS, prefix=parts)  # those of earlier runs as well
        yield context.call_activity_with_retry(delete_blobs, RETRY, whole)
    except Exception as error:  # the batch is done; only blobs that nobody needs are left
        if not context.is_replaying:
            log.info("%s: %s is not deleted: %s", context.instance_id, parts, error)
    context.set_custom_status({"step": "summed up", "done": files, "of": files})
    return BatchResult(**counts, files=files, failures=summary["failures"], summary=summary["blob"])


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", left=LEFT)
def batch_lane(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Counts | None]:
    """Read the next files of a lane, then continue as new with the rest."""
    lane = cast(Lane, context.get_input())
    done = lane["counts"]["read"] + lane["counts"]["failed"]
    of = lane["files"]["files"]
    context.set_custom_status({"step": "reading", "done": done, "of": of})
    query = PageQuery(names=lane["files"]["names"], skip=done)
    page: FilePage = yield context.call_activity_with_retry(load_file_names, RETRY, query)
    readings = yield from _read(context, page["files"], lane["files"]["at_once"])

    invoices = [reading["invoice"] for reading in readings if reading["invoice"]]
    failures = [
        FailedFile(file=reading["file"], **reading["failure"])
        for reading in readings
        if reading["failure"]
    ]
    part = Part(name=f"{lane['parts']}-{done:05}.json", invoices=invoices, failures=failures)
    yield context.call_activity_with_retry(write_batch_part, RETRY, part)

    totals = Counter[str]()
    for invoice in invoices:
        totals[invoice["currency"]] += invoice["amount_cents"]
    here = Counts(read=len(invoices), failed=len(failures), totals=dict(totals))
    counts = added_up([lane["counts"], here])
    if done + len(readings) >= of:
        return counts
    context.continue_as_new({**lane, "counts": counts})
    return None


def _read(
    context: df.DurableOrchestrationContext, files: list[str], at_once: int
) -> Generator[Any, Any, list[FileReading]]:
    """Read files in windows of `at_once`; afterwards, read those again that may succeed then.

    The activity returns a failure as data, so `task_all` never raises and no result is lost.
    """
    readings: dict[str, FileReading] = {}
    waiting = files
    for pause in (*PAUSES, None):
        for first in range(0, len(waiting), at_once):
            window = waiting[first : first + at_once]
            calls = [
                context.call_activity(read_invoice_file, FileName(file=name)) for name in window
            ]
            found: list[FileReading] = yield context.task_all(calls)
            readings |= {reading["file"]: reading for reading in found}
        waiting = [name for name in waiting if readings[name]["try_again"]]
        if not waiting or pause is None:
            break
        yield context.create_timer(context.current_utc_datetime + pause)
    return [readings[name] for name in files]


def lane_widths(at_once: int) -> list[int]:
    """How many files each lane reads in parallel; the sum is `at_once`."""
    lanes = min(LANES, at_once)
    return [at_once // lanes + (lane < at_once % lanes) for lane in range(lanes)]


def added_up(counts: Iterable[Counts]) -> Counts:
    """The sum of all counts."""
    read, failed, totals = 0, 0, Counter[str]()
    for each in counts:
        read += each["read"]
        failed += each["failed"]
        totals.update(each["totals"])
    return Counts(read=read, failed=failed, totals=dict(totals))


NOTHING: Final = Counts(read=0, failed=0, totals={})
