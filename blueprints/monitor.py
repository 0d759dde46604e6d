"""Monitor: look at a bank transfer, less and less often, until it settles or it takes too long.

POST /api/settlements starts one watch a transfer: 202; 200 or 202 with the same answer where it is
asked again; 409 where it is watched for another time. Cancelling it takes effect between two looks.
"""

import logging
from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NotRequired, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import limits
from activities.ids import IdPart, settlement_id
from activities.transfers import Look, Transfer, look_at_transfer
from http_api.bodies import Body, read_body
from http_api.problems import answers_problems
from http_api.starting import start_once
from orchestration.cancel_rules import CANCEL_EVENT, cancel_reason, on_cancel
from orchestration.deadlines import wait_any
from orchestration.failures import Failure
from orchestration.retrying import Retry, call_with_retry
from orchestration.showing import time_text

FIRST_PAUSE: Final = timedelta(seconds=2)
LONGEST_PAUSE: Final = timedelta(minutes=5)
LOOKS_A_GENERATION: Final = 20

# A look that fails is followed by the next one, in its time.
_ONCE: Final = Retry(attempts=1)

Ending = Literal["settled", "failed", "overdue", "cancelled"]

bp = df.Blueprint()
log = logging.getLogger(__name__)


class SettlementBody(Body):
    """Which transfer to watch, and for how long."""

    transfer: IdPart
    within_hours: int = Field(72, ge=1, le=limits.WATCH_HOURS.most)


class SoFar(TypedDict):
    """What one generation of a watch hands to the next."""

    looks: int
    until: str


class Watch(TypedDict):
    """What is asked for, and in later generations what has become of it."""

    transfer: str
    within_hours: int
    so_far: NotRequired[SoFar]


class Settlement(TypedDict):
    """How a watch ended; `reason` says why it did not settle."""

    transfer: str
    outcome: Ending
    looks: int
    reason: str | None


@bp.route(route="settlements", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_settlement_watch(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the watch of the transfer in the body, once."""
    asked = read_body(req, SettlementBody)
    work = asked.model_dump(mode="json")
    return await start_once(req, client, "settlement_watch", settlement_id(asked.transfer), work)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("ends_itself")
def settlement_watch(
    context: df.DurableOrchestrationContext,
) -> Generator[Any, Any, Settlement | None]:
    """Look, wait, and look again; begin anew every so many looks, so that the history is short."""
    watch = cast(Watch, context.get_input())
    latest = context.current_utc_datetime + timedelta(hours=watch["within_hours"])
    so_far = watch.get("so_far") or SoFar(looks=0, until=latest.isoformat())
    looks, until = so_far["looks"], datetime.fromisoformat(so_far["until"])

    cancel = context.wait_for_external_event(CANCEL_EVENT)
    for _ in range(LOOKS_A_GENERATION):
        transfer = yield from _look(context, watch["transfer"])
        looks += 1
        if transfer["status"] != "pending":
            return _end(context, watch, transfer["status"], looks, transfer["reason"])
        left = until - context.current_utc_datetime
        if left <= timedelta(0):
            return _end(context, watch, "overdue", looks, transfer["reason"])
        pause = min(pause_after(looks), left)
        next_look = time_text(context.current_utc_datetime + pause)
        context.set_custom_status({"step": "waiting", "looks": looks, "next_look": next_look})
        if (yield from wait_any(context, [cancel], pause)):
            return _end(context, watch, "cancelled", looks, cancel_reason(cancel.result))

    # The last thing was a race: an event that came since then is carried into the next generation,
    # but one that had come before and was not listened to would be dropped.
    context.continue_as_new({**watch, "so_far": SoFar(looks=looks, until=so_far["until"])})
    return None


def pause_after(looks: int) -> timedelta:
    """The pause after so many looks: each is twice the last, up to the longest."""
    doublings = min(looks - 1, 30)
    return min(FIRST_PAUSE * 2**doublings, LONGEST_PAUSE)


def _look(context: df.DurableOrchestrationContext, transfer: str) -> Generator[Any, Any, Transfer]:
    """Look once; while the bank is out of order a transfer counts as pending."""
    look = Look(transfer=transfer)
    try:
        return cast(Transfer, (yield from call_with_retry(context, look_at_transfer, look, _ONCE)))
    except Failure as failure:
        if not failure.retriable:
            raise
        if not context.is_replaying:
            log.info("%s: a look failed: %s", context.instance_id, failure)
        return Transfer(status="pending", reason=failure.code)


def _end(
    context: df.DurableOrchestrationContext,
    watch: Watch,
    outcome: Ending,
    looks: int,
    reason: str | None,
) -> Settlement:
    context.set_custom_status({"step": outcome, "looks": looks})
    if not context.is_replaying:
        log.info("%s: %s after %d looks", context.instance_id, outcome, looks)
    return Settlement(transfer=watch["transfer"], outcome=outcome, looks=looks, reason=reason)
