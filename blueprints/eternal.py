"""Eternal: sweep the ledger every so many minutes, for ever, and lose no event on the way.

POST /api/sweeps starts the one sweep, or finds it: 202 either way. IntervalChanged, sent to
/api/operations/sweep:ledger/events/IntervalChanged, changes its interval; a cancel stops it.
"""

from datetime import datetime, timedelta
from typing import Any, Final, NotRequired, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import BaseModel, Field

from activities.ledger import Audit, AuditOrder, StuckReport, audit_ledger, report_stuck_payments
from http_api.bodies import Body, read_body
from http_api.instances import look_for
from http_api.problems import answers_problems
from http_api.starting import started
from orchestration import limits
from orchestration.deadlines import SHORTEST
from orchestration.events import INTERVAL_EVENT, cancel_reason, event_data
from orchestration.failures import Failed, Failure, failure_of
from orchestration.ids import sweep_id
from orchestration.listening import Ears
from orchestration.log import log_once
from orchestration.showing import time_text
from orchestration.steps import Steps

LONGEST_GENERATION: Final = timedelta(minutes=1)

bp = df.Blueprint()


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
def ledger_sweep(context: df.DurableOrchestrationContext) -> Steps[SweepEnd | None]:
    """Beat if it is time, hear what is sent until the generation turns, begin anew."""
    sweep = cast(Sweep, context.get_input())
    so_far = sweep.get("so_far") or _nothing_yet(sweep)
    is_due = _until_beat(context, so_far) < SHORTEST  # as timers may fire a little early
    if is_due:
        so_far["beats"] += 1
        so_far["last_beat"] = context.current_utc_datetime.isoformat()
    wait = min(max(_until_beat(context, so_far), SHORTEST), LONGEST_GENERATION)
    turn = context.current_utc_datetime + wait
    ears = Ears(context, turn, INTERVAL_EVENT, lambda raw: _change(context, so_far, raw))

    if is_due:
        context.set_custom_status(_status(so_far, "sweeping"))
        yield from _beat(context, so_far, ears)
    if not ears.is_told_to_stop:
        context.set_custom_status(_status(so_far, "waiting"))
        yield from ears.until(context.create_timer(turn))
    if ears.is_told_to_stop:
        return _end(context, so_far, ears)

    # The newest timer has just fired, and nothing was heard since it was set: the host stands where
    # this code stands. All before was heard, once, and what comes from here on is carried over.
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


def _beat(context: df.DurableOrchestrationContext, so_far: SoFar, ears: Ears) -> Steps[None]:
    """Audit the ledger, and tell of payments that are open at two beats running, once each."""
    try:
        order = AuditOrder(most=limits.STUCK_NAMED.most)
        audit: Audit = yield from _call(ears, context.call_activity(audit_ledger, order))
        stuck = sorted({*audit["open"]} & {*so_far["open"]})
        so_far["open"] = audit["open"]
        if news := sorted({*stuck} - {*so_far["told"]}):
            report = StuckReport(
                payments=news, key=f"{context.instance_id}:{so_far['last_beat']}:stuck"
            )
            yield from _call(ears, context.call_activity(report_stuck_payments, report))
            log_once(context, "%d payments are stuck", len(news))
        so_far["told"] = stuck
        so_far["failing"] = None
    except Failure as failure:  # the next beat is the next attempt
        log_once(context, "beat %d failed: %s", so_far["beats"], failure)
        so_far["failing"] = failure.as_data()


def _call(ears: Ears, call: Any) -> Steps[Any]:
    """Wait for an activity, listening. Raises its Failure, which a race gives as its result."""
    yield from ears.until(call)
    if isinstance(call.result, Exception):
        raise failure_of(call.result)
    return call.result


def _change(context: df.DurableOrchestrationContext, so_far: SoFar, raw: object) -> None:
    """Take another interval, counted from the last beat; the next generation goes by it."""
    wanted = event_data(raw, IntervalChange)
    if wanted is None:
        log_once(context, "a change of the interval that cannot be read: %s", raw)
        return
    so_far["every_minutes"] = wanted.every_minutes
    so_far["changes"] += 1
    context.set_custom_status(_status(so_far, "waiting"))


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


def _end(context: df.DurableOrchestrationContext, so_far: SoFar, ears: Ears) -> SweepEnd:
    ears.close()
    reason = cancel_reason(ears.stop.result)
    context.set_custom_status(_status(so_far, "stopped") | {"next_beat": None})
    log_once(context, "stopped after %d beats", so_far["beats"])
    return SweepEnd(beats=so_far["beats"], changes=so_far["changes"], reason=reason)
