"""Monitor: poll a bank transfer at growing intervals until it settles or a deadline has passed.

POST /api/settlements starts the watch of a transfer. Returns 202; repeating the request returns the
existing operation (202 while it runs, 200 when it has ended); a different time limit for the same
transfer returns 409. A cancel takes effect before the next look.
"""

import logging
from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NotRequired, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import limits
from activities.clock import time_text
from activities.ids import IdPart, settlement_id
from activities.transfers import Look, Transfer, look_at_transfer
from http_api.bodies import Body, read_body
from http_api.problems import answers_problems
from http_api.starting import start_once
from orchestration.cancel_rules import CANCEL_EVENT, cancel_reason, on_cancel
from orchestration.failures import failure_of

FIRST_PAUSE: Final = timedelta(seconds=2)  # the platform rounds timers down: one second may be none
LONGEST_PAUSE: Final = timedelta(minutes=5)
LOOKS_A_GENERATION: Final = 20

Outcome = Literal["settled", "failed", "overdue", "cancelled"]

bp = df.Blueprint()
log = logging.getLogger(__name__)


class SettlementBody(Body):
    """The transfer to watch, and for how long."""

    transfer: IdPart
    within_hours: int = Field(72, ge=1, le=limits.WATCH_HOURS.most)


class SoFar(TypedDict):
    """The state that one generation passes to the next."""

    looks: int
    until: str


class Watch(TypedDict):
    """The input of a watch; later generations also have `so_far`."""

    transfer: str
    within_hours: int
    so_far: NotRequired[SoFar]


class Settlement(TypedDict):
    """The output of a watch; `reason` says why the transfer did not settle."""

    transfer: str
    outcome: Outcome
    looks: int
    reason: str | None


@bp.route(route="settlements", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_settlement_watch(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the watch of the transfer in the body, unless it was started before."""
    body = read_body(req, SettlementBody)
    work = body.model_dump(mode="json")
    return await start_once(req, client, "settlement_watch", settlement_id(body.transfer), work)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("ends_itself")
def settlement_watch(
    context: df.DurableOrchestrationContext,
) -> Generator[Any, Any, Settlement | None]:
    """Look at the transfer, wait, and look again; continue as new to keep the history short."""
    watch = cast(Watch, context.get_input())
    name, now = watch["transfer"], context.current_utc_datetime
    until = now + timedelta(hours=watch["within_hours"])
    so_far = watch.get("so_far") or SoFar(looks=0, until=until.isoformat())

    cancel: Any = context.wait_for_external_event(CANCEL_EVENT)
    for _ in range(LOOKS_A_GENERATION):
        transfer = yield from _look(context, name)
        so_far["looks"] += 1
        if transfer["status"] != "pending":
            return _end(context, name, transfer["status"], so_far["looks"], transfer["reason"])
        left = datetime.fromisoformat(so_far["until"]) - context.current_utc_datetime
        if left <= timedelta(0):
            return _end(context, name, "overdue", so_far["looks"], transfer["reason"])

        pause = min(pause_after(so_far["looks"]), max(left, FIRST_PAUSE))
        next_look = context.current_utc_datetime + pause
        context.set_custom_status(
            {"step": "waiting", "looks": so_far["looks"], "next_look": time_text(next_look)}
        )
        timer: Any = context.create_timer(next_look)
        winner = yield context.task_any([cancel, timer])
        if winner == cancel:
            timer.cancel()
            reason = cancel_reason(cancel.result)
            return _end(context, name, "cancelled", so_far["looks"], reason)

    # The host passes on an event that arrived during the wait just before this call, but drops an
    # older one that nobody waited for.
    context.continue_as_new({**watch, "so_far": so_far})
    return None


def pause_after(looks: int) -> timedelta:
    """The pause after this many looks: it doubles, up to LONGEST_PAUSE."""
    doublings = min(looks - 1, 30)
    return min(FIRST_PAUSE * 2**doublings, LONGEST_PAUSE)


def _look(context: df.DurableOrchestrationContext, name: str) -> Generator[Any, Any, Transfer]:
    """Look at the transfer. During an outage of the bank it counts as pending."""
    try:
        # No retry: the next look is the next attempt.
        transfer: Transfer = yield context.call_activity(look_at_transfer, Look(transfer=name))
        return transfer
    except Exception as error:  # the SDK raises nothing narrower
        failure = failure_of(error)
        if not failure.retriable:
            raise
        if not context.is_replaying:
            log.info("%s: a look failed: %s", context.instance_id, failure)
        return Transfer(status="pending", reason=failure.code)


def _end(
    context: df.DurableOrchestrationContext,
    transfer: str,
    outcome: Outcome,
    looks: int,
    reason: str | None,
) -> Settlement:
    context.set_custom_status({"step": outcome, "looks": looks})
    if not context.is_replaying:
        log.info("%s: %s after %d looks", context.instance_id, outcome, looks)
    return Settlement(transfer=transfer, outcome=outcome, looks=looks, reason=reason)
