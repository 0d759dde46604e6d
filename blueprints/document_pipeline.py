"""Document pipeline: a scan is read, classified, checked, reviewed where in doubt, posted, told of.

POST /api/documents takes a PDF, or `{"blob": name}` of one in the container `invoices`: 202; 200
once it has ended; 413, 415, 422 for what is none; 503 without a blob storage. One that arrives in
the container `scans` is taken as well. The same file is one instance, however often it comes.
"""

import asyncio
import logging
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final, Literal, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import AfterValidator, Field

from activities import limits
from activities.arrivals import sound_content
from activities.blobs import INVOICES, read_blob
from activities.decision_tokens import require_key
from activities.document_checks import Doubt, invoice_of
from activities.documents import (
    SCANS,
    Decided,
    DocumentFields,
    Folder,
    Reading,
    Refused,
    digest_of,
    keep_document_decision,
    keep_original,
    quarantine_document,
    read_document,
)
from activities.ids import child_id, document_id
from activities.messages import PAYABLES, Message, send_message
from activities.pdf_files import MAX_PDF_BYTES, require_name, require_pdf
from activities.postings import Posting
from activities.reviews import ReviewTerms, review_terms
from activities.settings import flag_setting
from blueprints.chaining import invoice_intake
from blueprints.document_pipeline_judging import Reviewed, judge, show_step
from http_api.bodies import Body, read_body
from http_api.instances import Instance
from http_api.problems import Problem, answers_problems
from http_api.starting import ensure_started, started
from orchestration.cancel_rules import on_cancel
from orchestration.deadlines import sleep
from orchestration.failures import Failed, Failure, failure_of
from orchestration.retrying import PATIENT, call_with_retry, pause_after
from orchestration.run_keys import RunKeys
from orchestration.settling import settle_map

_STATUS_OF: Final = {
    "unknown_blob": 404,
    "blob_too_large": 422,
    "document_too_large": 413,
    "inflates_too_much": 422,
    "not_a_pdf": 422,
}

# Azurite sends no events, and on the Flex Consumption plan no blob trigger polls.
_SCANS_SOURCE: Final = (
    func.BlobSource.EVENT_GRID
    if flag_setting("SCANS_BY_EVENT_GRID")
    else func.BlobSource.LOGS_AND_CONTAINER_SCAN
)

bp = df.Blueprint()
log = logging.getLogger(__name__)


def _safe_name(name: str) -> str:
    try:
        return require_name(name)
    except Failure as failure:
        raise ValueError(failure.message) from failure


class BlobBody(Body):
    """Which blob to take, of those that vendors sent."""

    blob: Annotated[str, Field(max_length=limits.FILE_NAME_CHARS.most), AfterValidator(_safe_name)]


class Document(TypedDict):
    """A file by what is in it, and what the settings say when it comes."""

    digest: str
    bytes: int
    settings: ReviewTerms


class Outcome(TypedDict):
    """What became of a document; `doubts` are those that were left."""

    outcome: Literal["accepted", "filed", "rejected", "expired", "quarantined", "posted", "refused"]
    kind: str
    fields: DocumentFields
    doubts: list[Doubt]
    reviews: list[Reviewed]
    posting: Posting | None
    failure: Failed | None


@bp.route(route="documents", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_document_intake(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the intake of the file in the body, or of the blob that it names, once."""
    with _failures_as_problems():
        content = await _sent(req)
        await asyncio.to_thread(require_pdf, content)
        instance_id, existing = await _start_once(client, content)
    return started(req, instance_id, existing)


@bp.blob_trigger(
    arg_name="scan",
    path=f"{SCANS}/{{name}}",
    connection="AzureWebJobsStorage",
    source=_SCANS_SOURCE,
)
@bp.durable_client_input(client_name="client")
async def start_document_intake_from_blob(
    scan: func.InputStream, client: df.DurableOrchestrationClient
) -> None:
    """Start the intake of a scan that arrived, once; what is none goes into quarantine."""
    content = await sound_content(scan)
    if content is not None:
        await _start_once(client, content)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", left="the file and an invoice that was posted stay", starts_children=True)
def document_intake(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Outcome]:
    """Have a document read, judge it, keep what is decided, post it, tell."""
    document = cast(Document, context.get_input())
    folder, keys = context.instance_id, RunKeys(context)

    show_step(context, "reading")
    where = Folder(folder=folder)
    reading: Reading = yield from call_with_retry(context, read_document, where, PATIENT)
    outcome: Outcome
    if reason := reading["refusal"]:
        outcome = Outcome(
            outcome="quarantined",
            kind="",
            fields=reading["fields"],
            doubts=[],
            reviews=[],
            posting=None,
            failure=reason,
        )
        refused = Refused(folder=folder, reason=reason)
        yield from call_with_retry(context, quarantine_document, refused, PATIENT)
    else:
        judged = yield from judge(context, reading, document["settings"])
        outcome = Outcome(**judged, posting=None, failure=None)

    show_step(context, "storing")
    decided = Decided(folder=folder, decision={**outcome})
    yield from call_with_retry(context, keep_document_decision, decided, PATIENT)

    if outcome["outcome"] == "accepted":
        show_step(context, "posting")
        yield from _post(context, outcome, keys)
        decided = Decided(folder=folder, decision={**outcome})
        yield from call_with_retry(context, keep_document_decision, decided, PATIENT)

    show_step(context, "notifying")
    yield from _tell(context, outcome, keys)
    show_step(context, outcome["outcome"])
    if not context.is_replaying:
        log.info("%s: %s", context.instance_id, outcome["outcome"])
    return outcome


def _post(
    context: df.DurableOrchestrationContext, outcome: Outcome, keys: RunKeys
) -> Generator[Any, Any, None]:
    """Run the intake of invoices as a child, again until it posts the invoice or refuses it."""
    invoice, attempt = invoice_of(outcome["fields"]), 1
    child = child_id(context.instance_id, f"intake-{keys.run}")  # one of an earlier run may go on
    give_up = context.current_utc_datetime + PATIENT.within
    while True:
        try:
            outcome["posting"] = yield context.call_sub_orchestrator(
                invoice_intake, invoice, instance_id=child, expected_type=dict
            )
        except Exception as error:  # the SDK raises nothing narrower
            failure = failure_of(error)
        else:
            outcome["outcome"] = "posted"
            return
        if not failure.retriable:
            outcome["outcome"], outcome["failure"] = "refused", failure.as_data()
            return
        yield from sleep(context, pause_after(context, failure, PATIENT, attempt, give_up))
        attempt += 1


def _tell(
    context: df.DurableOrchestrationContext, outcome: Outcome, keys: RunKeys
) -> Generator[Any, Any, None]:
    """Mail the outcome. A mail that cannot be sent does not change it."""
    fields, doubts = outcome["fields"], outcome["doubts"]
    reasons = [f"{doubt['about']}: {doubt['message']}" for doubt in doubts]
    if failure := outcome["failure"]:
        reasons.append(failure["message"])
    what = f"{outcome['kind'] or 'document'} {fields['number']}".strip()
    message = Message(
        to=PAYABLES,
        subject=f"{what} of {fields['vendor'] or 'somebody'} is {outcome['outcome']}"[:200],
        text="\n".join([f"Everything about it is kept below {context.instance_id}.", *reasons]),
        key=keys.key("outcome"),
    )
    [told] = yield from settle_map(context, send_message, [message], 1, PATIENT)
    if told.failure and not context.is_replaying:
        log.info("%s: the outcome was not mailed: %s", context.instance_id, told.failure)


async def _sent(req: func.HttpRequest) -> bytes:
    """The file in a request, or the one that it names, read within bounds."""
    kind = req.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if req.headers.get("Content-Encoding", "identity") != "identity":
        raise Problem(415, "unsupported_encoding", "the body is compressed: send the PDF as it is")
    if kind == "application/json":
        name = read_body(req, BlobBody).blob
        return await read_blob(INVOICES, name, MAX_PDF_BYTES)
    if kind == "application/pdf":
        return req.get_body()
    advice = "send application/pdf, or application/json that names a blob"
    raise Problem(415, "unsupported_media_type", f"the body is {kind[:100]!r}: {advice}")


async def _start_once(
    client: df.DurableOrchestrationClient, content: bytes
) -> tuple[str, Instance | None]:
    """Keep the file, start its intake; the instance that was there already, if one was."""
    require_key()
    terms, digest = review_terms(), digest_of(content)
    instance_id = document_id(digest)
    await keep_original(instance_id, content)
    work = {"digest": digest, "bytes": len(content)}
    existing = await ensure_started(client, "document_intake", instance_id, work, {**terms})
    return instance_id, existing


@contextmanager
def _failures_as_problems() -> Iterator[None]:
    try:
        yield
    except Failure as failure:
        status = _STATUS_OF.get(failure.code, 503)
        raise Problem(status, failure.code, failure.message) from failure
