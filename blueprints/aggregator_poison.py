"""Orchestration started by a queue message: vendor events that could not be recorded.

The host tries a message of VENDOR_EVENTS_QUEUE ten times, 30 seconds apart (host.json), and then
moves it to `<name>-poison`. One instance is started for each message there. It tries again, informs
accounts payable and fails. GET /api/operations?status=Failed&prefix=poison: lists these instances,
and POST /api/operations/{id}/retry records the event once the cause is removed.
"""

import logging
from collections.abc import Generator
from hashlib import sha256
from typing import Any, Final, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func

from activities.ids import poison_id
from activities.messages import PAYABLES, Message, send_message
from blueprints.aggregator import VendorEvent, record_event
from http_api.bodies import read_message
from http_api.problems import Problem
from http_api.starting import ensure_started
from orchestration.cancel_rules import on_cancel
from orchestration.failures import Failure, failure_of

TEXT: Final = """\
Messages of the queue of vendor events could not be recorded.

GET /api/operations?status=Failed&prefix=poison: lists them, each with the reason.
POST /api/operations/{id}/retry records the event once the cause is removed.
"""

# The SDK's retry. It repeats refusals too, which here costs no more than four pauses.
RETRY: Final = df.RetryOptions(first_retry_interval_in_milliseconds=5000, max_number_of_attempts=5)

bp = df.Blueprint()
log = logging.getLogger(__name__)


class QueuedEvent(TypedDict):
    """The text of a message."""

    text: str


@bp.queue_trigger(
    arg_name="msg", queue_name="%VENDOR_EVENTS_QUEUE%-poison", connection="AzureWebJobsStorage"
)
@bp.durable_client_input(client_name="client")
async def start_poisoned_event(
    msg: func.QueueMessage, client: df.DurableOrchestrationClient
) -> None:
    """Start one instance for a message. A message that is delivered twice has the same id."""
    text = msg.get_body().decode(errors="replace")
    digest = sha256(f"{msg.id} {text}".encode()).hexdigest()[:32]
    await ensure_started(client, "poisoned_event", poison_id(digest), QueuedEvent(text=text))


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", left="the event is not recorded")
def poisoned_event(context: df.DurableOrchestrationContext) -> Generator[Any, Any, None]:
    """Record the event, or inform accounts payable and fail, so that somebody can retry it."""
    event = cast(QueuedEvent, context.get_input())
    try:
        yield context.call_activity_with_retry(record_event_text, RETRY, event)
    except Exception:  # the SDK raises nothing narrower
        # One mail per hour, however many messages fail: the mail server sends one for each key.
        hour = context.current_utc_datetime.strftime("%Y-%m-%dT%H")
        mail = Message(
            to=PAYABLES,
            subject="vendor events could not be recorded",
            text=TEXT,
            key=f"poisoned-events:{hour}",
        )
        try:
            yield context.call_activity_with_retry(send_message, RETRY, mail)
        except Exception as error:  # the SDK raises nothing narrower
            if not context.is_replaying:
                log.info("%s: nobody was informed: %s", context.instance_id, failure_of(error))
        raise


@bp.activity_trigger(input_name="event")
@bp.durable_client_input(client_name="client")
async def record_event_text(event: QueuedEvent, client: df.DurableOrchestrationClient) -> None:
    """Record the event in a text. Its shard counts it once, so this may run twice."""
    try:
        await record_event(client, read_message(event["text"].encode(), VendorEvent))
    except Problem as problem:
        raise Failure(problem.code, problem.detail) from problem
