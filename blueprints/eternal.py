"""Eternal orchestration: sweep the ledger at an interval for ever, and lose no event.

POST /api/sweeps starts the sweep and returns 202; it also returns 202 if the sweep is running.
The event IntervalChanged, sent to /api/operations/sweep:ledger/events/IntervalChanged, changes
the interval. A cancel stops the sweep.
"""

import logging
from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any, Final, NotRequired, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import BaseModel, Field

from activities import limits
from activities.ids import sweep_id
from activities.ledger import Audit, AuditOrder, StuckReport, audit_ledger, report_stuck_payments
from http_api.bodies import Body, read_body
from http_api.instances import look_for
from http_api.problems import answers_problems
from http_api.starting import started
from orchestration.cancel_rules import CANCEL_EVENT, cancel_reason, on_cancel
from orchestration.deadlines import SHORTEST
from orchestration.events import event_data
from orchestration.failures import Failed, Failure, failure_of
from orchestration.listening import EventListener
from orchestration.showing import time_text

CHANGES_A_GENERATION: Final = 50  # so that many changes do not make a long history

# Gives the sweep another interval. Callers send it to /api/operations/{id}/events/IntervalChanged.
INTERVAL_EVENT: Final = "IntervalChanged"

bp = df.Blueprint()
log = logging.getLogger(__name__)


class SweepBody(Body):
    """How often to sweep, where this starts the sweep."""

    every_minutes: int = Field(15, ge=1, le=limits.SWEEP_MINUTES.most)


class IntervalChange(BaseModel):
    """What INTERVAL_EVENT carries."""

    every_minutes: int = Field(ge=1, le=limits.SWEEP_MINUTES.most)


class SoFar(TypedDict):
    """What one generation hands to the next; the lists are capped, as it must not grow."""

    beats: int
    changes: int
    every_minutes: int
    last_beat: str | None
    open: list[str]
    told: list[str]
    failing: Failed | None


class Sweep(TypedDict):
    """What was asked for, and in later generations what has become of it."""

    every_minutes: int
    so_far: NotRequired[SoFar]


class SweepEnd(TypedDict):
    """What a sweep had done when it was stopped."""

    beats: int
    changes: int
    reason: str


@bp.route(route="sweeps", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_ledger_sweep(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the sweep if there is none, or none that goes on; one that goes on is left alone."""
    asked = read_body(req, SweepBody)
    sweep = await look_for(client, sweep_id())
    if sweep and not sweep.has_ended:
        return started(req, sweep.id, sweep)
    try:
        await client.start_new("ledger_sweep", sweep_id(), asked.model_dump())
    except Exception as error:  # the client raises nothing narrower
        if "already exists" not in str(error):
            raise  # otherwise somebody was faster, and there is a sweep
    return started(req, sweep_id(), None)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("ends_itself")
def ledger_sweep(context: df.DurableOrchestrationContext) -> Generator[Any, Any, SweepEnd | None]:
    """Wait for the next beat and for events, audit the ledger, and continue as new."""
    sweep = cast(Sweep, context.get_input())
    so_far = sweep.get("so_far") or _nothing_yet(sweep)
    events = EventListener(context, each=INTERVAL_EVENT, once=CANCEL_EVENT)
    while True:
        context.set_custom_status(_status(so_far, "waiting"))
        until = _next_beat(so_far) or context.current_utc_datetime
        _change(context, so_far, (yield from events.wait_until(until)))
        is_due = _until_beat(context, so_far) < SHORTEST  # timers may fire a little early
        if is_due or events.once.is_completed or events.received >= CHANGES_A_GENERATION:
            break

    if is_due and not events.once.is_completed:
        yield from _beat(context, so_far, events)
    _change(context, so_far, (yield from events.catch_up()))
    if events.once.is_completed:
        return _end(context, so_far, events.once.result)
    context.continue_as_new({"every_minutes": sweep["every_minutes"], "so_far": so_far})
    return None


def _nothing_yet(sweep: Sweep) -> SoFar:
    return SoFar(
        beats=0,
        changes=0,
        every_minutes=sweep["every_minutes"],
        last_beat=None,
        open=[],
        told=[],
        failing=None,
    )


def _beat(
    context: df.DurableOrchestrationContext, so_far: SoFar, events: EventListener
) -> Generator[Any, Any, None]:
    """Audit the ledger, and report each payment that is open at two successive beats, once.

    A beat that fails is not retried: the next beat is the next attempt.
    """

    def call(activity: Any, payload: object) -> Generator[Any, Any, Any]:
        task: Any = context.call_activity(activity, payload)
        _change(context, so_far, (yield from events.wait_for(task)))
        if isinstance(task.result, Exception):  # a race does not raise it
            raise failure_of(task.result)
        return task.result

    so_far["beats"] += 1
    so_far["last_beat"] = context.current_utc_datetime.isoformat()
    context.set_custom_status(_status(so_far, "sweeping"))
    try:
        order = AuditOrder(most=limits.STUCK_NAMED.most)
        audit: Audit = yield from call(audit_ledger, order)
        stuck = sorted({*audit["open"]} & {*so_far["open"]})
        so_far["open"] = audit["open"]
        if news := sorted({*stuck} - {*so_far["told"]}):
            report = StuckReport(
                payments=news, key=f"{context.instance_id}:{so_far['last_beat']}:stuck"
            )
            yield from call(report_stuck_payments, report)
            if not context.is_replaying:
                log.info("%s: %d payments are stuck", context.instance_id, len(news))
        so_far["told"] = stuck
        so_far["failing"] = None
    except Failure as failure:
        if not context.is_replaying:
            log.info("%s: beat %d failed: %s", context.instance_id, so_far["beats"], failure)
        so_far["failing"] = failure.as_data()


def _change(context: df.DurableOrchestrationContext, so_far: SoFar, events: list[object]) -> None:
    """Apply new intervals, which count from the last beat."""
    for raw in events:
        wanted = event_data(raw, IntervalChange)
        if wanted is None:
            if not context.is_replaying:
                log.info(
                    "%s: ignored an interval that cannot be read: %.100s", context.instance_id, raw
                )
            continue
        so_far["every_minutes"] = wanted.every_minutes
        so_far["changes"] += 1


def _next_beat(so_far: SoFar) -> datetime | None:
    if so_far["last_beat"] is None:
        return None
    interval = timedelta(minutes=so_far["every_minutes"])
    return datetime.fromisoformat(so_far["last_beat"]) + interval


def _until_beat(context: df.DurableOrchestrationContext, so_far: SoFar) -> timedelta:
    next_beat = _next_beat(so_far)
    return next_beat - context.current_utc_datetime if next_beat else timedelta(0)


def _status(so_far: SoFar, step: str) -> dict[str, Any]:
    """What the sweep shows; only counts, as it must stay small."""
    next_beat = _next_beat(so_far)
    return {
        "step": step,
        "beats": so_far["beats"],
        "every_minutes": so_far["every_minutes"],
        "changes": so_far["changes"],
        "next_beat": time_text(next_beat) if next_beat else None,
        "open": len(so_far["open"]),
        "failing": so_far["failing"],
    }


def _end(context: df.DurableOrchestrationContext, so_far: SoFar, raw: object) -> SweepEnd:
    context.set_custom_status(_status(so_far, "stopped") | {"next_beat": None})
    if not context.is_replaying:
        log.info("%s: stopped after %d beats", context.instance_id, so_far["beats"])
    return SweepEnd(beats=so_far["beats"], changes=so_far["changes"], reason=cancel_reason(raw))
