"""Async HTTP API: create a report that takes minutes; its own resource shows the progress.

POST /api/reports starts one report per year and edition: 202, or 200 when it has ended. GET
/api/reports/{id} returns 202 with Retry-After, or 200. Both wait with `?wait=SECONDS`. GET
/api/reports/{id}/result returns the file, or 409 before it is written. No storage: 503.
"""

import logging
from collections import Counter
from collections.abc import Generator
from typing import Any, Final, Literal, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import limits
from activities.blobs import RESULTS, BlobRef, Folder, delete_blobs, require_storage
from activities.ids import IdPart, report_id
from activities.reports import (
    Month,
    MonthOrder,
    ReportOrder,
    collect_report_month,
    read_report,
    write_report,
)
from blueprints.async_http_progress import percent_of, retry_after_seconds, wait_until_ended
from http_api.answers import json_answer, links_of, url_of
from http_api.bodies import Body, Query, read_body, read_query
from http_api.instances import Instance, unknown
from http_api.operations import known_operation
from http_api.problems import Problem, answers_problems, failures_as_problems
from http_api.starting import ensure_started
from orchestration.cancel_rules import CANCEL_EVENT, cancel_reason, on_cancel
from orchestration.failures import Failure, failure_of

STEPS: Final = 13  # twelve months, and the report itself
RETRY: Final = df.RetryOptions(first_retry_interval_in_milliseconds=5_000, max_number_of_attempts=4)

bp = df.Blueprint()
log = logging.getLogger(__name__)


class ReportBody(Body):
    """The report to create. Another edition of the same year is another report."""

    year: int = Field(ge=2000, le=limits.YEAR.most)
    edition: IdPart = "final"


class WaitQuery(Query):
    """How many seconds the caller waits for the end."""

    wait: int = Field(0, ge=0, le=limits.WAIT_SECONDS.most)


class Order(TypedDict):
    """The input of a report."""

    year: int
    edition: str


class Report(TypedDict):
    """The output of a report; it refers to the file."""

    outcome: Literal["written", "cancelled"]
    reason: str | None
    lines: int
    totals: dict[str, int]
    file: BlobRef | None


@bp.route(route="reports", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def start_yearly_report(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Start the report in the body, unless it was started before."""
    body = read_body(req, ReportBody)
    wait = read_query(req, WaitQuery).wait
    with failures_as_problems():
        await require_storage()
    instance_id = report_id(body.year, body.edition)
    await ensure_started(client, "yearly_report", instance_id, body.model_dump(mode="json"))
    return _shown(req, await wait_until_ended(client, instance_id, wait))


@bp.route(route="reports/{id}", methods=["GET"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def show_report(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Show the progress of a report; wait for its end as long as the caller wants."""
    report = await _report(req, client)
    wait = read_query(req, WaitQuery).wait
    return _shown(req, await wait_until_ended(client, report.id, wait) if wait else report)


@bp.route(route="reports/{id}/result", methods=["GET"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def download_report(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Return the file of a report. No key to the storage leaves the app."""
    report = await _report(req, client)
    if not report.has_ended:
        detail = f"report {report.id!r} is not written yet: wait until it is completed"
        raise Problem(409, "not_written_yet", detail)
    if _state(report) != "completed":
        detail = f"report {report.id!r} is {_state(report)}: there is no result"
        raise Problem(404, "no_result", detail)
    try:
        content = await read_report(report.output["file"])
    except Failure as failure:
        status = 404 if failure.code == "unknown_blob" else 503
        raise Problem(status, failure.code, failure.message) from failure
    name = report.id.replace(":", "-")
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return func.HttpResponse(content, headers=headers, mimetype="text/csv", charset="utf-8")


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("ends_itself", left="files of the report stay in the storage")
def yearly_report(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Report]:
    """Collect each month, then join the months. If it does not succeed, no file is left behind."""
    order = cast(Order, context.get_input())
    folder = f"{context.instance_id}/"
    # A wait begins when it is yielded: here with a timer that fires at once. Do not race it with
    # the retried calls: the host can fail such an instance as non-deterministic (SDK issue 603).
    cancel: Any = context.wait_for_external_event(CANCEL_EVENT)
    yield context.task_any([cancel, context.create_timer(context.current_utc_datetime)])

    months: list[Month] = []
    file: BlobRef | None = None
    try:
        for number in range(1, STEPS):
            context.set_custom_status({"step": "collecting", "done": len(months), "of": STEPS})
            month_order = MonthOrder(
                year=order["year"], month=number, name=f"{folder}months/{number:02}.csv"
            )
            month = yield context.call_activity_with_retry(collect_report_month, RETRY, month_order)
            months.append(month)
            if cancel.is_completed:
                break
        else:
            context.set_custom_status({"step": "joining", "done": len(months), "of": STEPS})
            blobs = [month["blob"] for month in months]
            report_order = ReportOrder(months=blobs, name=f"{folder}report.csv")
            file = yield context.call_activity_with_retry(write_report, RETRY, report_order)
    except Exception:
        if not cancel.is_completed:
            yield from _delete(context, folder)
            raise

    if cancel.is_completed:
        yield from _delete(context, folder)
        context.set_custom_status({"step": "cancelled", "done": len(months), "of": STEPS})
        reason = cancel_reason(cancel.result)
        return Report(outcome="cancelled", reason=reason, lines=0, totals={}, file=None)
    yield from _delete(context, f"{folder}months/")
    context.set_custom_status({"step": "written", "done": STEPS, "of": STEPS})
    return _report_of(months, file)


def _report_of(months: list[Month], file: BlobRef | None) -> Report:
    totals: Counter[str] = Counter()
    for month in months:
        totals.update(month["totals"])
    lines = sum(month["lines"] for month in months)
    return Report(outcome="written", reason=None, lines=lines, totals=dict(totals), file=file)


def _delete(context: df.DurableOrchestrationContext, prefix: str) -> Generator[Any, Any, None]:
    """Delete the blobs with this prefix. If that fails, the report ends all the same."""
    folder = Folder(container=RESULTS, prefix=prefix)
    try:
        yield context.call_activity_with_retry(delete_blobs, RETRY, folder)
    except Exception as error:  # the SDK raises nothing narrower
        if not context.is_replaying:
            log.info("%s: %s was not deleted: %s", context.instance_id, prefix, failure_of(error))


async def _report(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> Instance:
    """The report that the route names. Raises Problem 404, also for another operation."""
    report = await known_operation(req, client)
    if report.name != "yearly_report":
        raise unknown(report.id)
    return report


def _shown(req: func.HttpRequest, report: Instance) -> func.HttpResponse:
    """The answer about a report: 202 and its progress, or 200 and its end."""
    here = url_of(req, f"/api/reports/{report.id}")
    state = _state(report)
    shown: dict[str, Any] = {
        **links_of(req, report.id),
        "runtimeStatus": report.state,
        "state": state,
        "step": (report.custom_status or {}).get("step"),
        "percent": percent_of(report),
    }
    if not report.has_ended:
        headers = {"Location": here, "Retry-After": str(retry_after_seconds(report))}
        return json_answer(shown, 202, headers)
    if state == "completed":
        counts = {name: report.output[name] for name in ("lines", "totals")}
        shown |= counts | {"resultUri": f"{here}/result"}
    elif report.failure:
        shown["failure"] = report.failure.as_data()
    return json_answer(shown, 200, {"Location": here})


def _state(report: Instance) -> str:
    if report.state == "Completed" and report.output["outcome"] == "cancelled":
        return "cancelled"
    return report.state.lower()
