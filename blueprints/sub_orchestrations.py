"""Sub-orchestrations: close a month in lanes, with one child orchestration for each vendor.

POST /api/month-ends starts one close for each month. Returns 202; repeating the request returns 200
or 202, and 409 if the tolerance differs. POST /api/month-ends/{id}/retry closes the vendors that
are still open; returns 409 if there are none, or while the close runs.
"""

import logging
from collections.abc import Generator
from typing import Any, Final, Literal, NotRequired, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import limits
from activities.ids import child_id, month_end_id
from activities.messages import Message, send_message
from activities.month_ends import (
    DivideOrder,
    MonthClosing,
    Share,
    Shares,
    Sums,
    VendorMonth,
    VendorQuery,
    Vendors,
    close_vendor_month,
    divide_vendors,
    list_open_vendors,
    reconcile_vendor_month,
)
from activities.settings import number_setting
from http_api.answers import accepted
from http_api.bodies import Body, read_body
from http_api.instances import SETTINGS, sdk_problems, unknown
from http_api.operations import known_operation, wrong_state
from http_api.problems import Problem, answers_problems, failures_as_problems
from http_api.starting import start_once
from orchestration.cancel_rules import on_cancel
from orchestration.failures import Failed, failure_of

LANES: Final = 20  # unless the setting MONTH_END_LANES says otherwise
VENDORS_A_GENERATION: Final = 25
CONTROLLER: Final = "controller@example.com"
LEFT: Final = "vendors that were closed stay closed"
# It repeats refusals as well. That costs ten seconds, in one lane only.
RETRY: Final = df.RetryOptions(first_retry_interval_in_milliseconds=5_000, max_number_of_attempts=3)

bp = df.Blueprint()
log = logging.getLogger(__name__)


class CloseBody(Body):
    """The month to close, and by how many cents books and bank may differ for a vendor."""

    month: str = Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")
    tolerance_cents: int = Field(0, ge=0, le=limits.TOLERANCE_CENTS.most)


class CloseSettings(TypedDict):
    """The settings when the close was started."""

    lanes: int


class Close(TypedDict):
    """The input of a close."""

    month: str
    tolerance_cents: int
    settings: CloseSettings


class FailedVendor(TypedDict):
    """A vendor that could not be closed, and why."""

    vendor: str
    code: str
    message: str


class LaneResult(TypedDict):
    """The vendors that a lane has closed or failed on; `after` is the last one."""

    after: str
    closed: int
    failed: int
    failures: list[FailedVendor]


class Lane(TypedDict):
    """The vendors of a lane, and its result so far after it has continued as new."""

    month: str
    tolerance_cents: int
    share: Share
    so_far: NotRequired[LaneResult]


class CloseResult(TypedDict):
    """How a close ended. `report` is the mail about it, or why it was not sent."""

    outcome: Literal["closed", "incomplete"]
    closed_before: int
    closed: int
    failed: int
    failures: list[FailedVendor]
    report: str | Failed | None


@bp.route(route="month-ends", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_month_end_close(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the close of the month in the body."""
    close = read_body(req, CloseBody)
    work, settings = close.model_dump(mode="json"), {**_settings()}
    instance_id = month_end_id(close.month)
    return await start_once(req, client, "month_end_close", instance_id, work, settings)


@bp.route(route="month-ends/{id}/retry", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def retry_month_end_close(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Run an ended close again, with today's settings. It closes the vendors that are open."""
    close = await known_operation(req, client)
    if close.name != "month_end_close":
        raise unknown(close.id)
    if not close.has_ended:
        raise wrong_state(close, "only one that has ended can be retried")
    if close.state == "Completed" and close.output["outcome"] == "closed":
        raise Problem(409, "nothing_to_retry", f"{close.id!r} has closed every vendor")
    with sdk_problems(close.id):
        work = {**close.asked, SETTINGS: {**_settings()}}
        await client.start_new("month_end_close", close.id, work)
    return accepted(req, close.id)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", left=LEFT, starts_children=True)
def month_end_close(context: df.DurableOrchestrationContext) -> Generator[Any, Any, CloseResult]:
    """Divide the open vendors among lanes, wait for all lanes, and report what stays open."""
    close = cast(Close, context.get_input())
    context.set_custom_status({"step": "listing", "done": 0, "of": 0})
    order = DivideOrder(month=close["month"], lanes=close["settings"]["lanes"])
    open_: Shares = yield context.call_activity_with_retry(divide_vendors, RETRY, order)
    of = sum(share["vendors"] for share in open_["shares"])

    context.set_custom_status({"step": "closing", "done": 0, "of": of})
    # Each run has its own lanes: those of a run that was terminated may still be running.
    run = context.new_uuid()[:8]
    lanes = [
        context.call_sub_orchestrator(
            month_end_lane,
            Lane(month=close["month"], tolerance_cents=close["tolerance_cents"], share=share),
            instance_id=child_id(context.instance_id, f"lane-{number:02}-{run}"),
            expected_type=dict,
        )
        for number, share in enumerate(open_["shares"])
    ]
    # task_all([]) returns None.
    results: list[LaneResult] = (yield context.task_all(lanes)) if lanes else []

    failures = [failure for result in results for failure in result["failures"]]
    failed = sum(result["failed"] for result in results)
    result = CloseResult(
        outcome="incomplete" if failed else "closed",
        closed_before=open_["closed_before"],
        closed=sum(result["closed"] for result in results),
        failed=failed,
        failures=failures[: limits.FAILURES_NAMED.most],
        report=None,
    )
    if failed:
        try:
            mail = report_mail(close["month"], result, f"{context.instance_id}:{run}:report")
            result["report"] = yield context.call_activity_with_retry(send_message, RETRY, mail)
        except Exception as error:  # the SDK raises nothing narrower
            result["report"] = failure_of(error).as_data()
    context.set_custom_status({"step": result["outcome"], "done": of, "of": of, "failed": failed})
    return result


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("refuse", left=LEFT, starts_children=True)
def month_end_lane(
    context: df.DurableOrchestrationContext,
) -> Generator[Any, Any, LaneResult | None]:
    """Close some vendors, one after the other, then continue as new with the next ones."""
    lane = cast(Lane, context.get_input())
    share = lane["share"]
    result = lane.get("so_far") or nothing_done(share)
    query = VendorQuery(
        month=lane["month"],
        after=result["after"],
        through=share["through"],
        top=VENDORS_A_GENERATION,
    )
    vendors: Vendors = yield context.call_activity_with_retry(list_open_vendors, RETRY, query)
    for vendor in vendors["names"]:
        context.set_custom_status({"step": "closing", **progress_of(share, result)})
        order = VendorMonth(
            month=lane["month"], vendor=vendor, tolerance_cents=lane["tolerance_cents"]
        )
        child = child_id(context.instance_id, vendor)
        result["after"] = vendor
        try:
            yield context.call_sub_orchestrator_with_retry(month_end_vendor, RETRY, order, child)
            result["closed"] += 1
        except Exception as error:  # it is reported, and the other vendors go on
            result["failed"] += 1
            if len(result["failures"]) < limits.LANE_FAILURES_NAMED.most:
                failed = FailedVendor(vendor=vendor, **failure_of(error).as_data())
                result["failures"].append(failed)
    context.set_custom_status({"step": "closed", **progress_of(share, result)})
    if not vendors["more"]:
        return result
    context.continue_as_new({**lane, "so_far": result})
    return None


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("refuse", left="its lane runs it again, up to three times")
def month_end_vendor(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str]:
    """Check that the books of a vendor agree with the bank, then close the vendor's month."""
    order = cast(VendorMonth, context.get_input())
    context.set_custom_status({"step": "reconciling", "done": 0, "of": 2})
    sums: Sums = yield context.call_activity(reconcile_vendor_month, order)

    context.set_custom_status({"step": "closing", "done": 1, "of": 2})
    closing = MonthClosing(month=order["month"], vendor=order["vendor"], **sums)
    closed: str = yield context.call_activity(close_vendor_month, closing)
    context.set_custom_status({"step": "closed", "done": 2, "of": 2})
    return closed


def report_mail(month: str, result: CloseResult, key: str) -> Message:
    """The mail to the controller about the vendors that are still open."""
    counts = f"{result['closed']} closed, {result['failed']} failed"
    named = [f"{each['vendor']}: {each['message']}" for each in result["failures"]]
    return Message(
        to=CONTROLLER,
        subject=f"{month} is not closed for every vendor",
        text="\n".join([counts, *named])[: limits.MAIL_CHARS.most],
        key=key,
    )


def nothing_done(share: Share) -> LaneResult:
    return LaneResult(after=share["after"], closed=0, failed=0, failures=[])


def progress_of(share: Share, result: LaneResult) -> dict[str, int]:
    """How many vendors of its share a lane has done."""
    done = result["closed"] + result["failed"]
    return {"done": done, "of": max(share["vendors"], done), "failed": result["failed"]}


def _settings() -> CloseSettings:
    with failures_as_problems():
        return CloseSettings(lanes=number_setting("MONTH_END_LANES", LANES, limits.LANES.most))
