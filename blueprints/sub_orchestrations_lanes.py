"""The lanes of a month-end close, which sub_orchestrations.py begins: a vendor at a time each.

A lane begins anew every so many vendors, so that its history stays short however many it has.
"""

from collections.abc import Generator
from typing import Any, Final, NotRequired, TypedDict, cast

import azure.durable_functions as df

from activities import limits
from activities.ids import child_id
from activities.month_ends import (
    MonthClosing,
    Share,
    Sums,
    VendorMonth,
    VendorQuery,
    Vendors,
    close_vendor_month,
    list_open_vendors,
    reconcile_vendor_month,
)
from orchestration.cancel_rules import on_cancel
from orchestration.cancelling import Cancellable, Cancelled
from orchestration.failures import Failed, Failure
from orchestration.retrying import call_with_retry
from orchestration.settling import settle

VENDORS_A_GENERATION: Final = 25
NAMED_BY_LANE: Final = limits.LANE_FAILURES_NAMED.most

bp = df.Blueprint()


class FailedVendor(TypedDict):
    """A vendor that could not be closed, and why."""

    vendor: str
    code: str
    message: str


class Tally(TypedDict):
    """What a lane has done; `after` is the last vendor it had, `stopped` why it had no more."""

    after: str
    closed: int
    failed: int
    failures: list[FailedVendor]
    stopped: Failed | None


class Lane(TypedDict):
    """A lane's share of the vendors, and in later generations what it has done."""

    month: str
    tolerance_cents: int
    share: Share
    so_far: NotRequired[Tally]


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("ends_itself", left="vendors that were closed stay closed", starts_children=True)
def month_end_lane(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Tally | None]:
    """Close some vendors, one after the other, then begin anew with those that follow."""
    lane = cast(Lane, context.get_input())
    tally = lane.get("so_far") or nothing_done(lane["share"]["after"], None)
    work = Cancellable(context)
    query = VendorQuery(
        month=lane["month"],
        after=tally["after"],
        through=lane["share"]["through"],
        top=VENDORS_A_GENERATION,
    )
    is_last = True
    try:
        vendors: Vendors = yield from work.call(list_open_vendors, query)
        is_last = not vendors["more"]
        for vendor in vendors["names"]:
            context.set_custom_status({"step": "closing", **progress_of(lane["share"], tally)})
            yield from _take(context, lane, vendor, tally, work)
    except Cancelled as cancelled:
        tally["stopped"] = Failed(code="cancelled", message=cancelled.reason)
    except Failure as failure:
        tally["stopped"] = failure.as_data()
    step = "stopped" if tally["stopped"] else "closed" if is_last else "closing"
    context.set_custom_status({"step": step, **progress_of(lane["share"], tally)})
    if is_last or tally["stopped"]:
        return tally
    context.continue_as_new({**lane, "so_far": tally})
    return None


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("ends_itself", left="the vendor may be closed")
def month_end_vendor(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str]:
    """See that a vendor's books agree with the bank, then close its month."""
    order = cast(VendorMonth, context.get_input())
    work = Cancellable(context)
    context.set_custom_status({"step": "reconciling", "done": 0, "of": 2})
    try:
        sums: Sums = yield from work.call(reconcile_vendor_month, order)
    except Cancelled as cancelled:
        why = f": {cancelled.reason}" if cancelled.reason else ""
        raise Failure("cancelled", f"closing {order['vendor']} was cancelled{why}") from None

    context.set_custom_status({"step": "closing", "done": 1, "of": 2})
    closing = MonthClosing(month=order["month"], vendor=order["vendor"], **sums)
    closed: str = yield from call_with_retry(context, close_vendor_month, closing)
    context.set_custom_status({"step": "closed", "done": 2, "of": 2})
    return closed


def nothing_done(after: str, stopped: Failed | None) -> Tally:
    return Tally(after=after, closed=0, failed=0, failures=[], stopped=stopped)


def progress_of(share: Share, tally: Tally) -> dict[str, int]:
    """How far a lane is; the vendors that it skips make no difference."""
    done = tally["closed"] + tally["failed"]
    return {"done": done, "of": max(share["vendors"], done), "failed": tally["failed"]}


def _take(
    context: df.DurableOrchestrationContext,
    lane: Lane,
    vendor: str,
    tally: Tally,
    work: Cancellable,
) -> Generator[Any, Any, None]:
    """Close a vendor and count it. Raises Cancelled once that vendor's child has ended."""
    order = VendorMonth(month=lane["month"], vendor=vendor, tolerance_cents=lane["tolerance_cents"])
    instance_id = child_id(context.instance_id, vendor)
    child = context.call_sub_orchestrator(
        month_end_vendor, order, instance_id=instance_id, expected_type=str
    )
    [end] = yield from settle(context, [child])
    tally["after"] = vendor
    tally["closed"] += end.failure is None
    work.check()  # before a failure is counted: what was called off has not failed
    if end.failure:
        tally["failed"] += 1
        if len(tally["failures"]) < NAMED_BY_LANE:
            tally["failures"].append(FailedVendor(vendor=vendor, **end.failure.as_data()))
