"""Vendor events from a queue, and messages whose event cannot be recorded.

The host tries a message ten times, 30 seconds apart (host.json), and moves it to the queue
`<name>-poison` then. An instance is started for it there: it tries again, informs accounts payable
and fails. GET /api/operations?status=Failed&prefix=poison: lists these instances, and POST
/api/operations/{id}/retry records the event once the cause is removed.
"""

import logging
from collections.abc import Generator
from hashlib import sha256
from typing import Any, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func

from activities.ids import poison_id
from activities.messages import PAYABLES, Message, send_message
from blueprints.aggregator import VendorEvent, record_event
from http_api.bodies import read_message
from http_api.problems import Problem
from http_api.starting import ensure_started
from orchestration.cancel_rules import on_cancel
from orchestration.failures import Failure
from orchestration.retrying import call_with_retry

TEXT = """\
Messages of the queue of vendor events could not be recorded.

GET /api/operations?status=Failed&prefix=poison: lists them, each with the reason.
POST /api/operations/{id}/retry records the event once the cause is removed.
"""

bp = df.Blueprint()
log = logging.getLogger(__name__)


class QueuedEvent(TypedDict):
    """The text of a message."""

    text: str


@bp.queue_trigger(
    arg_name="msg", queue_name="%VENDOR_EVENTS_QUEUE%", connection="AzureWebJobsStorage"
)
@bp.durable_client_input(client_name="client")
async def record_queued_vendor_event(
    msg: func.QueueMessage, client: df.DurableOrchestrationClient
) -> None:
    """Record the event in a message. If this raises, the host tries the message again."""
    await record_event(client, read_message(msg.get_body(), VendorEvent))


@bp.queue_trigger(
    arg_name="msg", queue_name="%VENDOR_EVENTS_QUEUE%-poison", connection="AzureWebJobsStorage"
)
@bp.durable_client_input(client_name="client")
async def start_poisoned_event(
    msg: func.QueueMessage, client: df.DurableOrchestrationClient
) -> None:
    """Start an instance for a message that failed too often; one instance for each message."""
    text = msg.get_body().decode(errors="replace")
    digest = sha256(f"{msg.id} {text}".encode()).hexdigest()[:32]
    await ensure_started(client, "poisoned_event", poison_id(digest), QueuedEvent(text=text))


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", left="the event is not recorded")
def poisoned_event(context: df.DurableOrchestrationContext) -> Generator[Any, Any, None]:
    """Record the event, or inform accounts payable and fail, so that somebody can retry it."""
    event = cast(QueuedEvent, context.get_input())
    try:
        yield from call_with_retry(context, record_event_text, event)
    except Failure:
        # One mail an hour, however many messages fail: the mail server sends one for each key.
        hour = context.current_utc_datetime.strftime("%Y-%m-%dT%H")
        mail = Message(
            to=PAYABLES,
            subject="vendor events could not be recorded",
            text=TEXT,
            key=f"poisoned-events:{hour}",
        )
        try:
            yield from call_with_retry(context, send_message, mail)
        except Failure as failure:
            if not context.is_replaying:
                log.info("%s: nobody was informed: %s", context.instance_id, failure)
        raise


@bp.activity_trigger(input_name="event")
@bp.durable_client_input(client_name="client")
async def record_event_text(event: QueuedEvent, client: df.DurableOrchestrationClient) -> None:
    """Record the event in a text. Its shard counts it once, so this may run twice."""
    try:
        await record_event(client, read_message(event["text"].encode(), VendorEvent))
    except Problem as problem:
        raise Failure(problem.code, problem.detail) from problem
