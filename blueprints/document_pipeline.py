"""Document pipeline: read a scan, classify and check it, ask a person in doubt, post it, notify.

POST /api/documents accepts a PDF, or `{"blob": name}` of a file in the container `invoices`.
Returns 202, and 200 once it has ended; 413, 415 or 422 if it is not a PDF that can be accepted; 503
without a blob storage. A file that arrives in the container `scans` is accepted as well. The same
file is one instance, however often it is sent.
"""

import asyncio
import logging
from collections.abc import Generator
from typing import Annotated, Any, Final, Literal, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import AfterValidator, Field

from activities import limits
from activities.arrivals import content_of
from activities.blobs import INVOICES, read_blob
from activities.decision_tokens import require_key
from activities.document_checks import Doubt, invoice_of
from activities.documents import (
    SCANS,
    Decision,
    DocumentFields,
    Folder,
    Reading,
    Refused,
    digest_of,
    quarantine_document,
    read_document,
    store_document_decision,
    store_original,
)
from activities.ids import child_id, document_id
from activities.messages import PAYABLES, Message, failure_message, send_message
from activities.pdf_files import MAX_PDF_BYTES, require_name, require_pdf
from activities.postings import Posting
from activities.reviews import ReviewTerms, review_terms
from activities.settings import flag_setting
from blueprints.document_pipeline_judging import ReviewRecord, judge, show_step
from http_api.bodies import Body, read_body
from http_api.instances import Instance
from http_api.problems import Problem, answers_problems, failures_as_problems
from http_api.starting import ensure_started, started
from orchestration.cancel_rules import on_cancel
from orchestration.failures import Failed, Failure, on_failure
from orchestration.retrying import PATIENT, call_with_retry, retried

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
    """The name of a blob that a vendor sent."""

    blob: Annotated[str, Field(max_length=limits.FILE_NAME_CHARS.most), AfterValidator(_safe_name)]


class Document(TypedDict):
    """The hash and the size of a file, and the settings at the time of its arrival."""

    digest: str
    bytes: int
    settings: ReviewTerms


class Outcome(TypedDict):
    """What became of a document. `doubts` are those that remain."""

    outcome: Literal["accepted", "filed", "rejected", "expired", "quarantined", "posted", "refused"]
    kind: str
    fields: DocumentFields
    doubts: list[Doubt]
    reviews: list[ReviewRecord]
    posting: Posting | None
    failure: Failed | None


@bp.route(route="documents", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_document_intake(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the intake of the file in the body, or of the blob that the body names, once."""
    with failures_as_problems(**_STATUS_OF):
        content = await _file_of(req)
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
    """Start the intake of a scan that arrived, once. Other files are put into quarantine."""
    content = await content_of(scan)
    if content is not None:
        await _start_once(client, content)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", left="the file and an invoice that was posted stay", starts_children=True)
@on_failure(send_message, failure_message)
def document_intake(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Outcome]:
    """Read a document, check it, ask a person in doubt, store the decision, post it and notify."""
    document = cast(Document, context.get_input())
    folder = context.instance_id
    run = context.new_uuid()[:8]  # equal in each replay, different when the document is sent again

    show_step(context, "reading")
    reading: Reading = yield from call_with_retry(
        context, read_document, Folder(folder=folder), PATIENT
    )
    if reason := reading["refusal"]:
        refused = Refused(folder=folder, reason=reason)
        yield from call_with_retry(context, quarantine_document, refused, PATIENT)
        outcome = _unreadable(reading["fields"], reason)
    else:
        judgement = yield from judge(context, reading, document["settings"])
        outcome = Outcome(**judgement, posting=None, failure=None)

    show_step(context, "storing")
    decision = Decision(folder=folder, decision={**outcome})
    yield from call_with_retry(context, store_document_decision, decision, PATIENT)

    if outcome["outcome"] == "accepted":
        show_step(context, "posting")
        yield from _post(context, outcome, run)
        decision = Decision(folder=folder, decision={**outcome})
        yield from call_with_retry(context, store_document_decision, decision, PATIENT)

    show_step(context, "notifying")
    yield from _notify(context, outcome, f"{context.instance_id}:{run}:outcome")
    show_step(context, outcome["outcome"])
    if not context.is_replaying:
        log.info("%s: %s", context.instance_id, outcome["outcome"])
    return outcome


def _unreadable(fields: DocumentFields, reason: Failed) -> Outcome:
    return Outcome(
        outcome="quarantined",
        kind="",
        fields=fields,
        doubts=[],
        reviews=[],
        posting=None,
        failure=reason,
    )


def _post(
    context: df.DurableOrchestrationContext, outcome: Outcome, run: str
) -> Generator[Any, Any, None]:
    """Run the invoice intake as a child. Start it again while its failures can pass."""
    invoice = invoice_of(outcome["fields"])
    child = child_id(context.instance_id, f"intake-{run}")  # that of an earlier run may still run

    def take_in() -> Generator[Any, Any, Posting]:
        call = context.call_sub_orchestrator(
            "invoice_intake", invoice, instance_id=child, expected_type=dict
        )
        return cast(Posting, (yield call))

    try:
        outcome["posting"] = yield from retried(context, take_in, PATIENT)
    except Failure as failure:
        if failure.retriable:
            raise
        outcome["outcome"], outcome["failure"] = "refused", failure.as_data()
    else:
        outcome["outcome"] = "posted"


def _notify(
    context: df.DurableOrchestrationContext, outcome: Outcome, key: str
) -> Generator[Any, Any, None]:
    """Mail the outcome to accounts payable. A failure of this mail does not change the outcome."""
    fields, doubts = outcome["fields"], outcome["doubts"]
    reasons = [f"{doubt['about']}: {doubt['message']}" for doubt in doubts]
    if failure := outcome["failure"]:
        reasons.append(failure["message"])
    what = f"{outcome['kind'] or 'document'} {fields['number']}".strip()
    message = Message(
        to=PAYABLES,
        subject=f"{what} of {fields['vendor'] or 'somebody'} is {outcome['outcome']}"[:200],
        text="\n".join([f"The files are stored below {context.instance_id}.", *reasons]),
        key=key,
    )
    try:
        yield from call_with_retry(context, send_message, message, PATIENT)
    except Failure as error:
        if not context.is_replaying:
            log.info("%s: the outcome was not mailed: %s", context.instance_id, error)


async def _file_of(req: func.HttpRequest) -> bytes:
    """Return the file in the body, or the blob that the body names, up to the size limit."""
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
    """Store the file and start its intake. Returns the instance id, and an existing instance."""
    require_key()
    terms, digest = review_terms(), digest_of(content)
    instance_id = document_id(digest)
    await store_original(instance_id, content)
    work = {"digest": digest, "bytes": len(content)}
    existing = await ensure_started(client, "document_intake", instance_id, work, {**terms})
    return instance_id, existing
