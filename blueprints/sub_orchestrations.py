"""Sub-orchestrations: close a month, one child a vendor, in lanes, each of them a child as well.

POST /api/month-ends starts one close a month: 202; 200 or 202 with the same answer where it is
asked again; 409 for another tolerance. POST /api/month-ends/{id}/retry closes the vendors that are
still open, and those alone; 409 where none is, or while it runs.
"""

import logging
from collections.abc import Generator, Sequence
from functools import partial
from itertools import zip_longest
from typing import Any, Final, Literal, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import limits
from activities.ids import child_id, month_end_id
from activities.messages import Message, send_message
from activities.month_ends import Deal, DealOrder, deal_vendors
from activities.settings import number_setting
from blueprints.operations_children import end_all_children, watch_children
from blueprints.sub_orchestrations_lanes import (
    FailedVendor,
    Lane,
    Tally,
    month_end_lane,
    nothing_done,
    progress_of,
)
from http_api.answers import accepted
from http_api.bodies import Body, read_body
from http_api.instances import SETTINGS, sdk_problems, unknown
from http_api.operations import known_operation, wrong_state
from http_api.problems import Problem, answers_problems, failures_as_503
from http_api.starting import start_once
from orchestration.cancel_rules import on_cancel
from orchestration.cancelling import Cancellable, Cancelled
from orchestration.failures import Failed, Failure, failure_of
from orchestration.retrying import call_with_retry
from orchestration.run_keys import RunKeys
from orchestration.settling import settle

LANES: Final = 20  # unless the setting MONTH_END_LANES says otherwise
MOST_LANES: Final = limits.LANES.most
NAMED: Final = limits.FAILURES_NAMED.most
CONTROLLER: Final = "controller@example.com"

COUNTS: Final = ("done", "of", "failed")  # of vendors, as a lane shows them
MOST_CHARACTERS: Final = limits.MAIL_CHARS.most

Outcome = Literal["closed", "incomplete", "cancelled"]

bp = df.Blueprint()
log = logging.getLogger(__name__)


class CloseBody(Body):
    """Which month to close, and by how much books and bank may differ for a vendor."""

    month: str = Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")
    tolerance_cents: int = Field(0, ge=0, le=limits.TOLERANCE_CENTS.most)


class Limits(TypedDict):
    """What the settings say of a close."""

    lanes: int


class Close(TypedDict):
    """What is asked for, and the settings of that moment."""

    month: str
    tolerance_cents: int
    settings: Limits


class CloseEnd(TypedDict):
    """How a close ended: those `left` were not tried; `report` is the mail that tells of it."""

    outcome: Outcome
    reason: str | None
    closed_before: int
    closed: int
    failed: int
    left: int
    failures: list[FailedVendor]
    stopped: list[Failed]
    report: str | Failed | None


@bp.route(route="month-ends", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_month_end_close(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the close of the month in the body, once."""
    close = read_body(req, CloseBody)
    settings = {**_limits()}
    work = close.model_dump(mode="json")
    instance_id = month_end_id(close.month)
    return await start_once(req, client, "month_end_close", instance_id, work, settings)


@bp.route(route="month-ends/{id}/retry", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def retry_month_end_close(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Run an ended close again, with the settings of now: it takes what the books have open."""
    close = await known_operation(req, client)
    if close.name != "month_end_close":
        raise unknown(close.id)
    if not close.has_ended:
        raise wrong_state(close, "only one that has ended can be retried")
    if close.state == "Completed" and close.output["outcome"] == "closed":
        raise Problem(409, "nothing_to_retry", f"{close.id!r} has closed every vendor")
    with sdk_problems(close.id):
        given = {**close.asked, SETTINGS: {**_limits()}}
        await client.start_new("month_end_close", close.id, given)
    return accepted(req, close.id)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("ends_itself", left="vendors that were closed stay closed", starts_children=True)
def month_end_close(context: df.DurableOrchestrationContext) -> Generator[Any, Any, CloseEnd]:
    """Deal the vendors out to lanes, watch the lanes, end them if told to, tell what is open."""
    close = cast(Close, context.get_input())
    work = Cancellable(context)
    deal, lanes, reason = Deal(shares=[], closed_before=0), dict[str, Any](), None

    seen: list[Any] = []

    def show(step: str, progress: Sequence[Any] = ()) -> None:
        seen[:] = progress or seen
        context.set_custom_status(status_of(step, deal, seen))

    show("dealing")
    try:
        # What is left of a run that somebody cut off would be in the way of this one.
        yield from end_all_children(context, "the close begins anew")
        order = DealOrder(month=close["month"], lanes=close["settings"]["lanes"])
        deal = yield from work.call(deal_vendors, order)
        show("closing")
        lanes = _lanes(context, close, deal)
        yield from watch_children(context, lanes, work.word, partial(show, "closing"))
        work.check()
    except Cancelled as cancelled:
        reason = cancelled.reason
        show("cancelling")
        yield from end_all_children(context, reason, lanes.values())

    ends = yield from settle(context, list(lanes.values()))
    tallies = [end.value or nothing_done("", failure_of(end.failure).as_data()) for end in ends]
    progress = [progress_of(*each) for each in zip(deal["shares"], tallies, strict=False)]
    end = end_of(deal, tallies, reason)
    if end["outcome"] == "incomplete":
        show("reporting", progress)
        end["report"] = yield from _report(context, close, end)
    show(end["outcome"], progress)
    if not context.is_replaying:
        log.info(
            "%s: %s: %d closed, %d failed",
            context.instance_id,
            end["outcome"],
            end["closed"],
            end["failed"],
        )
    return end


def _lanes(context: df.DurableOrchestrationContext, close: Close, deal: Deal) -> dict[str, Any]:
    """The tasks of the lanes, by their ids."""
    lanes: dict[str, Any] = {}
    for number, share in enumerate(deal["shares"]):
        lane = Lane(month=close["month"], tolerance_cents=close["tolerance_cents"], share=share)
        lane_id = child_id(context.instance_id, f"lane-{number:02}")
        lanes[lane_id] = context.call_sub_orchestrator(
            month_end_lane, lane, instance_id=lane_id, expected_type=dict
        )
    return lanes


def _report(
    context: df.DurableOrchestrationContext, close: Close, end: CloseEnd
) -> Generator[Any, Any, str | Failed]:
    """Mail what is open still; the mail's id, or why it was not sent, which changes nothing."""
    counts = f"{end['closed']} closed, {end['failed']} failed, {end['left']} not tried"
    named = [f"{each['vendor']}: {each['message']}" for each in end["failures"]]
    message = Message(
        to=CONTROLLER,
        subject=f"{close['month']} is not closed for every vendor",
        text="\n".join([counts, *named])[:MOST_CHARACTERS],
        key=RunKeys(context).key("report"),
    )
    try:
        return (yield from call_with_retry(context, send_message, message))
    except Failure as failure:
        return failure.as_data()


def status_of(step: str, deal: Deal, progress: Sequence[Any]) -> dict[str, Any]:
    """How far a close is, as a whole and by lane; one that has shown nothing yet is at nought."""
    lanes = [
        {name: (seen or {"of": share["vendors"]}).get(name, 0) for name in COUNTS}
        for share, seen in zip_longest(deal["shares"], progress)
    ]
    sums = {name: sum(lane[name] for lane in lanes) for name in COUNTS}
    return {"step": step, **sums, "lanes": lanes}


def end_of(deal: Deal, tallies: Sequence[Tally], reason: str | None) -> CloseEnd:
    """What the lanes have done, together; `reason` is why the close was cancelled, if it was."""
    closed = sum(tally["closed"] for tally in tallies)
    failed = sum(tally["failed"] for tally in tallies)
    left = max(sum(share["vendors"] for share in deal["shares"]) - closed - failed, 0)
    failures = [failure for tally in tallies for failure in tally["failures"]]
    stopped = [tally["stopped"] for tally in tallies if tally["stopped"]]
    outcome: Outcome = "incomplete" if failed or left else "closed"
    if reason is not None and (outcome == "incomplete" or not tallies):
        outcome = "cancelled"
    return CloseEnd(
        outcome=outcome,
        reason=reason,
        closed_before=deal["closed_before"],
        closed=closed,
        failed=failed,
        left=left,
        failures=failures[:NAMED],
        stopped=stopped if reason is None else [],
        report=None,
    )


def _limits() -> Limits:
    with failures_as_503():
        return Limits(lanes=number_setting("MONTH_END_LANES", LANES, MOST_LANES))
