"""Eternal orchestration: sweep the ledger at an interval for ever, and lose no event.

A timer function starts the sweep after a deployment. POST /api/sweeps starts it too; both leave a
running sweep alone. The event IntervalChanged, sent to
/api/operations/sweep:ledger/events/IntervalChanged, changes the interval; a wrong one gets 422.
A cancel stops the sweep.
"""

import logging
from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any, Final, NotRequired, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import limits
from activities.clock import time_text
from activities.ids import sweep_id
from activities.intervals import IntervalChange
from activities.ledger import Audit, AuditOrder, StuckReport, audit_ledger, report_stuck_payments
from http_api.bodies import Body, read_body, read_event
from http_api.instances import look_for
from http_api.problems import answers_problems
from http_api.starting import started
from orchestration.cancel_rules import CANCEL_EVENT, cancel_reason, on_cancel
from orchestration.failures import Failed, failure_of
from orchestration.listening import EventListener

EVERY_MINUTES: Final = 15  # unless a request or an event says otherwise
CHANGES_A_GENERATION: Final = 50  # more changes would make a long history
# Timers can fire up to one second early, so a beat that is nearer than this is due.
TOLERANCE: Final = timedelta(seconds=2)

INTERVAL_EVENT: Final = "IntervalChanged"

bp = df.Blueprint()
log = logging.getLogger(__name__)


class SweepBody(Body):
    """The interval, if this request starts the sweep."""

    every_minutes: int = Field(EVERY_MINUTES, ge=1, le=limits.SWEEP_MINUTES.most)


class SoFar(TypedDict):
    """The state that one generation passes to the next. It must not grow: the lists are capped."""

    beats: int
    changes: int
    every_minutes: int
    last_beat: str | None
    open: list[str]
    reported: list[str]
    failing: Failed | None


class Sweep(TypedDict):
    """The input of a sweep; later generations also have `so_far`."""

    every_minutes: int
    so_far: NotRequired[SoFar]


class SweepEnd(TypedDict):
    """The output of a sweep that was stopped."""

    beats: int
    changes: int
    reason: str


@bp.timer_trigger(arg_name="timer", schedule="0 */5 * * * *")
@bp.durable_client_input(client_name="client")
async def ensure_ledger_sweep(
    timer: func.TimerRequest, client: df.DurableOrchestrationClient
) -> None:
    """Start the sweep if it was never started or has failed. A stopped sweep stays stopped."""
    sweep = await look_for(client, sweep_id())
    if sweep is None or sweep.state == "Failed":
        await _start(client, SweepBody(every_minutes=EVERY_MINUTES))


@bp.route(route="sweeps", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_ledger_sweep(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the sweep, unless it is running."""
    body = read_body(req, SweepBody)
    sweep = await look_for(client, sweep_id())
    if sweep and not sweep.has_ended:
        return started(req, sweep.id, sweep)
    await _start(client, body)
    return started(req, sweep_id(), None)


async def _start(client: df.DurableOrchestrationClient, body: SweepBody) -> None:
    """Start the one sweep. The fixed id makes a concurrent start fail: then there is a sweep."""
    try:
        await client.start_new("ledger_sweep", sweep_id(), body.model_dump())
    except Exception as error:  # the client raises nothing narrower
        if "already exists" not in str(error):
            raise


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("ends_itself")
def ledger_sweep(context: df.DurableOrchestrationContext) -> Generator[Any, Any, SweepEnd | None]:
    """Wait until the next beat is due, audit the ledger, and continue as new."""
    sweep = cast(Sweep, context.get_input())
    so_far = _so_far(sweep)
    events = EventListener(context, each=INTERVAL_EVENT, once=CANCEL_EVENT)
    is_due = False
    while not is_due and not events.once.is_completed and events.received < CHANGES_A_GENERATION:
        context.set_custom_status(_status(so_far, "waiting"))
        next_beat = _next_beat(so_far) or context.current_utc_datetime
        _change_interval(context, so_far, (yield from events.wait_until(next_beat)))
        next_beat = _next_beat(so_far) or context.current_utc_datetime
        is_due = next_beat - context.current_utc_datetime < TOLERANCE

    if is_due and not events.once.is_completed:
        so_far["beats"] += 1
        so_far["last_beat"] = context.current_utc_datetime.isoformat()
        context.set_custom_status(_status(so_far, "sweeping"))
        try:
            yield from _sweep(context, so_far, events)
            so_far["failing"] = None
        except Exception as error:  # the SDK raises nothing narrower
            # No retry: the next beat is the next attempt.
            so_far["failing"] = failure_of(error).as_data()

    _change_interval(context, so_far, (yield from events.catch_up()))
    if events.once.is_completed:
        context.set_custom_status(_status(so_far, "stopped") | {"next_beat": None})
        reason = cancel_reason(events.once.result)
        return SweepEnd(beats=so_far["beats"], changes=so_far["changes"], reason=reason)
    context.continue_as_new({"every_minutes": sweep["every_minutes"], "so_far": so_far})
    return None


def _sweep(
    context: df.DurableOrchestrationContext, so_far: SoFar, events: EventListener
) -> Generator[Any, Any, None]:
    """Audit the ledger; report, once, each payment that is open at two successive beats."""
    call = context.call_activity(audit_ledger, AuditOrder(most=limits.STUCK_NAMED.most))
    _change_interval(context, so_far, (yield from events.wait_for(call)))
    audit: Audit = yield call
    stuck = sorted({*audit["open"]} & {*so_far["open"]})
    so_far["open"] = audit["open"]
    if new := sorted({*stuck} - {*so_far["reported"]}):
        key = f"{context.instance_id}:{so_far['last_beat']}:stuck"
        call = context.call_activity(report_stuck_payments, StuckReport(payments=new, key=key))
        _change_interval(context, so_far, (yield from events.wait_for(call)))
        yield call
        if not context.is_replaying:
            log.info("%s: reported %d stuck payments", context.instance_id, len(new))
    so_far["reported"] = stuck


def _so_far(sweep: Sweep) -> SoFar:
    """The state of the previous generation; what its code did not know has its first value."""
    first = SoFar(
        beats=0,
        changes=0,
        every_minutes=sweep["every_minutes"],
        last_beat=None,
        open=[],
        reported=[],
        failing=None,
    )
    return cast(SoFar, {**first, **sweep.get("so_far", {})})


def _change_interval(
    context: df.DurableOrchestrationContext, so_far: SoFar, events: list[object]
) -> None:
    """Apply new intervals; they count from the last beat."""
    for data in events:
        change = read_event(data, IntervalChange)
        if change:
            so_far["every_minutes"] = change.every_minutes
            so_far["changes"] += 1
        elif not context.is_replaying:
            # The sender chose the data, so the log gets only its beginning.
            log.info("%s: ignored an interval: %.100r", context.instance_id, data)


def _next_beat(so_far: SoFar) -> datetime | None:
    """When the next beat is due, None for the first one."""
    if so_far["last_beat"] is None:
        return None
    interval = timedelta(minutes=so_far["every_minutes"])
    return datetime.fromisoformat(so_far["last_beat"]) + interval


def _status(so_far: SoFar, step: str) -> dict[str, Any]:
    """The custom status; it contains counts, because it must stay small."""
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
