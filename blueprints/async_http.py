"""Async HTTP: a report that takes minutes, behind a resource of its own that says how far it is.

POST /api/reports starts one report a year and edition: 202; 200 once it has ended; 409 for another
body; 503 without a blob storage. GET /api/reports/{id} is 202 with Retry-After, or 200. Both take
`?wait=SECONDS`. GET /api/reports/{id}/result is the file; 409 before it is written.
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
from http_api.answers import json_answer, links_of, url_of
from http_api.bodies import Body, Query, read_body, read_query
from http_api.instances import Instance, unknown
from http_api.operations import known_operation
from http_api.problems import Problem, answers_problems, failures_as_503
from http_api.progress import percent_of, seconds_left
from http_api.starting import ensure_started
from http_api.waiting import wait_until_ended
from orchestration.cancel_rules import on_cancel
from orchestration.cancelling import Cancellable, Cancelled
from orchestration.failures import Failure
from orchestration.settling import settle_map

STEPS: Final = 13  # twelve months, and the report itself

bp = df.Blueprint()
log = logging.getLogger(__name__)


class ReportBody(Body):
    """Which report to write; another edition of the same year is another report."""

    year: int = Field(ge=2000, le=limits.YEAR.most)
    edition: IdPart = "final"


class WaitQuery(Query):
    """For how many seconds the caller would wait for the end."""

    wait: int = Field(0, ge=0, le=limits.WAIT_SECONDS.most)


class Order(TypedDict):
    """What is asked for."""

    year: int
    edition: str


class Report(TypedDict):
    """How the work on a report ended; the file is what travels by reference."""

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
    """Start the report in the body, once; wait for it as long as its caller wants to."""
    asked = read_body(req, ReportBody)
    wait = read_query(req, WaitQuery).wait
    with failures_as_503():
        await require_storage()
    instance_id = report_id(asked.year, asked.edition)
    await ensure_started(client, "yearly_report", instance_id, asked.model_dump(mode="json"))
    return _shown(req, await wait_until_ended(client, instance_id, wait))


@bp.route(route="reports/{id}", methods=["GET"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def show_report(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Show how far a report is; wait for its end as long as the caller wants to."""
    report = await _known(req, client)
    wait = read_query(req, WaitQuery).wait
    return _shown(req, await wait_until_ended(client, report.id, wait) if wait else report)


@bp.route(route="reports/{id}/result", methods=["GET"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def download_report(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Give a report's file out of the blob storage, which callers need not know of."""
    report = await _known(req, client)
    if not report.has_ended:
        detail = f"report {report.id!r} is not written yet: look at it until it is"
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
    """Collect each month, join them; whatever ends it, leave nothing that is half written."""
    order = cast(Order, context.get_input())
    cancellable = Cancellable(context)
    here = f"{context.instance_id}/"
    months: list[Month] = []
    try:
        for number in range(1, 13):
            context.set_custom_status({"step": "collecting", "done": len(months), "of": STEPS})
            name = f"{here}months/{number:02}.csv"
            wanted = MonthOrder(year=order["year"], month=number, name=name)
            months.append((yield from cancellable.call(collect_report_month, wanted)))

        context.set_custom_status({"step": "joining", "done": len(months), "of": STEPS})
        joined = ReportOrder(months=[month["blob"] for month in months], name=f"{here}report.csv")
        file: BlobRef = yield from cancellable.call(write_report, joined)
    except Cancelled as cancelled:
        yield from _clean_up(context, here)
        context.set_custom_status({"step": "cancelled", "done": len(months), "of": STEPS})
        return Report(outcome="cancelled", reason=cancelled.reason, lines=0, totals={}, file=None)
    except Failure:
        yield from _clean_up(context, here)
        raise

    yield from _clean_up(context, f"{here}months/")
    totals: Counter[str] = Counter()
    for month in months:
        totals.update(month["totals"])
    context.set_custom_status({"step": "written", "done": STEPS, "of": STEPS})
    lines = sum(month["lines"] for month in months)
    if not context.is_replaying:
        log.info("%s: wrote %d lines", context.instance_id, lines)
    return Report(outcome="written", reason=None, lines=lines, totals=dict(totals), file=file)


def _clean_up(context: df.DurableOrchestrationContext, prefix: str) -> Generator[Any, Any, None]:
    """Delete what has this prefix; where that cannot be done, the work has ended all the same."""
    folder = Folder(container=RESULTS, prefix=prefix)
    [end] = yield from settle_map(context, delete_blobs, [folder], 1)
    if end.failure and not context.is_replaying:
        log.info("%s: %s is not cleaned up: %s", context.instance_id, prefix, end.failure)


async def _known(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> Instance:
    """The report that the route names. Raises Problem 404, also for what is no report."""
    report = await known_operation(req, client)
    if report.name != "yearly_report":
        raise unknown(report.id)
    return report


def _shown(req: func.HttpRequest, report: Instance) -> func.HttpResponse:
    """How far a report is: 202 with when to look again, or 200 with how it ended."""
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
        headers = {"Location": here, "Retry-After": str(seconds_left(report))}
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
