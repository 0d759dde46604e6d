"""Async HTTP: a report that takes minutes shows its progress, can be cancelled, and is a link."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from activities.blobs import RESULTS, Folder, blob_names, delete_blobs, write_blob
from blueprints.async_http import RETRY
from durablehost.app.functions import FunctionTable
from durablehost.testing import Answer, ManualHub, every_crash
from orchestration.failures import Failure
from tests.faults.judging import completed
from tests.filing import Cabinet, Filed
from tests.outside import Sandbox

ORDER = {"year": 2026, "edition": "final"}
ID = "report:2026:final"
HERE = f"/api/reports/{ID}"
CANCEL = f"/api/operations/{ID}/cancel?reason=enough"
BUSY = Failure("postings_unavailable", "the postings answered 503", retriable=True)


async def start(hub: ManualHub) -> None:
    await hub.start("yearly_report", ORDER, instance_id=ID)


async def show(hub: ManualHub) -> Answer:
    return await hub.request("GET", HERE)


# Without a storage: a cabinet replaces the activities that read and write blobs.


@pytest.fixture
def served(hub: ManualHub, cabinet: Cabinet) -> Cabinet:
    """A cabinet in which each month has as many lines, and cents, as its number."""
    serve(hub, cabinet)
    return cabinet


def serve(hub: ManualHub, cabinet: Cabinet) -> None:
    def collect(order: dict[str, Any]) -> dict[str, Any]:
        blob = cabinet.keep(order["name"], [order["month"]])
        return {"blob": blob, "lines": order["month"], "totals": {"invoice": order["month"]}}

    def join(order: dict[str, Any]) -> Any:
        months = [cabinet.results[month["name"]] for month in order["months"]]
        return cabinet.keep(order["name"], sum(months, []))

    hub.replace_activity("collect_report_month", collect)
    hub.replace_activity("write_report", join)
    hub.replace_activity("delete_blobs", cabinet.delete)


async def test_only_the_report_is_left_in_the_storage(hub: ManualHub, served: Cabinet) -> None:
    await start(hub)

    shown = await show(hub)

    report = shown.json()
    assert (shown.status, report["state"], report["percent"]) == (200, "completed", 100)
    assert (report["lines"], report["totals"]) == (78, {"invoice": 78})
    assert report["resultUri"] == f"http://localhost:7071{HERE}/result"
    assert served.results == {f"{ID}/report.csv": list(range(1, 13))}


async def test_files_are_passed_by_reference(hub: ManualHub, served: Cabinet) -> None:
    await start(hub)

    file = {"container": "results", "name": f"{ID}/report.csv", "bytes": 1}
    assert hub.output(ID)["file"] == file
    [joined] = hub.calls("write_report")
    assert [month["name"] for month in joined.input["months"]] == [
        f"{ID}/months/{number:02}.csv" for number in range(1, 13)
    ]


@pytest.mark.parametrize(("call", "percent"), [(1, 0), (4, 23), (12, 84)])
async def test_a_running_report_shows_its_progress_and_when_to_look_again(
    hub: ManualHub, served: Cabinet, call: int, percent: int
) -> None:
    hub.fail_activity("collect_report_month", BUSY, on_call=call)
    await start(hub)

    shown = await show(hub)

    report = shown.json()
    assert (shown.status, report["state"], report["step"]) == (202, "running", "collecting")
    assert report["percent"] == percent
    assert shown.headers["Location"] == f"http://localhost:7071{HERE}"
    assert 1 <= int(shown.headers["Retry-After"]) <= 60
    assert "resultUri" not in report


async def test_retry_after_follows_from_the_time_that_the_steps_took(
    hub: ManualHub, served: Cabinet
) -> None:
    for call in (1, 3):
        hub.fail_activity("collect_report_month", BUSY, on_call=call)
    await start(hub)
    before = hub.clock.now()
    await hub.run_until_custom_status(ID, {"step": "collecting", "done": 1, "of": 13})

    after = int((await show(hub)).headers["Retry-After"])

    a_month = (hub.clock.now() - before).total_seconds()
    assert after == a_month * 12


async def test_a_short_outage_of_the_books_delays_the_report(
    hub: ManualHub, served: Cabinet
) -> None:
    for call in (1, 2, 9):
        hub.fail_activity("collect_report_month", BUSY, on_call=call)

    await start(hub)
    await hub.run_until_ended(ID)

    assert hub.output(ID)["lines"] == 78


async def test_a_report_that_is_cancelled_during_an_outage_cleans_up_too(
    hub: ManualHub, served: Cabinet
) -> None:
    for call in range(5, 5 + RETRY.max_number_of_attempts):
        hub.fail_activity("collect_report_month", BUSY, on_call=call)
    await start(hub)

    await hub.request("POST", CANCEL)
    await hub.run_until_ended(ID)

    assert (await show(hub)).json()["state"] == "cancelled"
    assert served.results == {}


@pytest.mark.parametrize("during", ["collect_report_month", "write_report"])
async def test_a_cancelled_report_deletes_its_unfinished_files(
    hub: ManualHub, served: Cabinet, during: str
) -> None:
    hub.fail_activity(during, BUSY, on_call=5 if during == "collect_report_month" else 1)
    await start(hub)
    assert f"{ID}/months/04.csv" in served.results

    cancelled = await hub.request("POST", CANCEL)
    await hub.run_until_ended(ID)

    shown = await show(hub)
    assert (cancelled.status, shown.status, shown.json()["state"]) == (202, 200, "cancelled")
    assert shown.json()["percent"] < 100
    assert hub.output(ID)["reason"] == "enough"
    assert served.results == {}


async def test_a_report_that_is_written_while_it_is_cancelled_is_deleted(
    hub: ManualHub, served: Cabinet
) -> None:
    async def write(order: dict[str, Any]) -> Any:
        await hub.request("POST", CANCEL)
        return served.keep(order["name"], "all of it")

    hub.replace_activity("write_report", write)

    await start(hub)

    assert hub.output(ID)["outcome"] == "cancelled"
    assert served.results == {}


async def test_a_finished_report_cannot_be_cancelled(hub: ManualHub, served: Cabinet) -> None:
    await start(hub)

    cancelled = await hub.request("POST", CANCEL)

    assert cancelled.status == 410
    assert f"{ID}/report.csv" in served.results


async def test_a_failed_report_deletes_its_files_and_can_be_retried(
    hub: ManualHub, served: Cabinet
) -> None:
    too_large = Failure("report_too_large", "over 33554432 bytes")
    for call in range(1, RETRY.max_number_of_attempts + 1):
        hub.fail_activity("write_report", too_large, on_call=call)
    await start(hub)
    await hub.run_until_ended(ID)

    report = (await show(hub)).json()
    assert (report["state"], report["percent"]) == ("failed", 92)
    assert report["failure"] == {"code": "report_too_large", "message": "over 33554432 bytes"}
    assert served.results == {}

    await hub.request("POST", f"/api/operations/{ID}/retry")
    await hub.run_until_ended(ID)
    assert (await show(hub)).json()["state"] == "completed"


@pytest.mark.parametrize("state", ["cancelled", "failed", "completed"])
async def test_a_report_ends_although_its_files_cannot_be_deleted(
    hub: ManualHub, served: Cabinet, state: str
) -> None:
    gone = Failure("storage_unavailable", "the blob storage answered 503", retriable=True)
    for call in range(1, 9):
        hub.fail_activity("delete_blobs", gone, on_call=call)
    failures = {"completed": 0, "cancelled": 1, "failed": RETRY.max_number_of_attempts}[state]
    for call in range(2, 2 + failures):
        hub.fail_activity("collect_report_month", BUSY, on_call=call)

    await start(hub)
    if state == "cancelled":
        await hub.request("POST", CANCEL)
    await hub.run_until_ended(ID)

    assert (await show(hub)).json()["state"] == state


async def test_a_crash_between_any_two_steps_writes_the_same_report(
    durable_app: FunctionTable, cabinet: Cabinet
) -> None:
    async def run(hub: ManualHub) -> None:
        cabinet.results.clear()
        serve(hub, cabinet)
        hub.fail_activity("collect_report_month", BUSY, on_call=2)
        await start(hub)
        await hub.run_until_ended(ID)

    async for hub in every_crash(durable_app, run):
        await hub.run_until_ended(ID)

        assert hub.output(ID)["lines"] == 78
        assert hub.problems(ID) == []
        assert cabinet.results == {f"{ID}/report.csv": list(range(1, 13))}


async def test_a_crash_after_a_cancel_leaves_nothing_behind(
    durable_app: FunctionTable, cabinet: Cabinet
) -> None:
    async def run(hub: ManualHub) -> None:
        cabinet.results.clear()
        serve(hub, cabinet)
        hub.fail_activity("collect_report_month", BUSY, on_call=3)
        await start(hub)
        await hub.request("POST", CANCEL)

    async for hub in every_crash(durable_app, run):
        await hub.request("POST", CANCEL)
        await hub.run_until_ended(ID)

        assert hub.problems(ID) == []
        if hub.output(ID)["outcome"] == "cancelled":
            assert cabinet.results == {}


# Waiting


async def test_a_request_that_waits_returns_the_result(hub: ManualHub, served: Cabinet) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()

    async def write(order: dict[str, Any]) -> Any:
        began.set()
        await may_end.wait()
        return served.keep(order["name"], "all of it")

    hub.replace_activity("write_report", write)
    working = asyncio.create_task(start(hub))
    await began.wait()
    waiting_caller = asyncio.create_task(hub.request("GET", f"{HERE}?wait=60"))
    assert (await hub.request("GET", HERE)).status == 202
    assert not waiting_caller.done()

    may_end.set()
    await working

    shown = await waiting_caller
    assert (shown.status, shown.json()["state"]) == (200, "completed")


async def test_a_request_that_waits_too_short_returns_the_progress(
    hub: ManualHub, served: Cabinet
) -> None:
    hub.fail_activity("collect_report_month", BUSY, on_call=5)
    await start(hub)

    shown = await hub.request("GET", f"{HERE}?wait=1")

    assert (shown.status, shown.json()["percent"]) == (202, 30)


@pytest.mark.parametrize("wait", ["-1", "61", "1.5", "long"])
async def test_an_invalid_wait_is_refused(hub: ManualHub, served: Cabinet, wait: str) -> None:
    await start(hub)

    shown = await hub.request("GET", f"{HERE}?wait={wait}")

    assert (shown.status, shown.json()["errors"][0]["field"]) == (422, "wait")


# What is not there


@pytest.mark.parametrize("path", ["", "/result"])
@pytest.mark.parametrize("name", ["report:2025:final", "intake:acme:INV-1", "@counter@x", ".."])
async def test_an_operation_that_is_not_a_report_is_404(
    hub: ManualHub, served: Cabinet, name: str, path: str
) -> None:
    hub.replace_activity("match_order", lambda invoice: invoice)
    hub.replace_activity("post_invoice", lambda order: {"id": "posting-1", "amount_cents": 5})
    invoice = {"vendor": "acme", "number": "INV-1", "order": "PO-1", "amount_cents": 5}
    await hub.request("POST", "/api/invoices", json=invoice)

    answer = await hub.request("GET", f"/api/reports/{name}{path}")

    assert answer.status == 404


@pytest.mark.parametrize(("ended", "status"), [("running", 409), ("cancelled", 404)])
async def test_there_is_no_result_before_the_report_is_written(
    hub: ManualHub, served: Cabinet, ended: str, status: int
) -> None:
    hub.fail_activity("collect_report_month", BUSY, on_call=5)
    await start(hub)
    if ended == "cancelled":
        await hub.request("POST", CANCEL)
        await hub.run_until_ended(ID)

    answer = await hub.request("GET", f"{HERE}/result")

    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_without_a_storage_the_request_returns_503_and_starts_nothing(
    hub: ManualHub, served: Cabinet, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("INVOICES", "INVOICES__blobServiceUri", "AzureWebJobsStorage"):
        monkeypatch.delenv(name, raising=False)

    answer = await hub.request("POST", "/api/reports", json={"year": 2025})
    assert (answer.status, answer.json()["code"]) == (503, "not_configured")
    assert hub.instances() == []

    await start(hub)
    result = await hub.request("GET", f"{HERE}/result")
    assert (result.status, result.json()["code"]) == (503, "not_configured")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "year"),
        ({"year": 1999}, "year"),
        ({"year": 2101}, "year"),
        ({"year": "2026"}, "year"),
        ({"year": 2026, "edition": "a:b"}, "edition"),
        ({"year": 2026, "month": 1}, "month"),
    ],
)
async def test_an_invalid_body_names_the_field_and_starts_nothing(
    hub: ManualHub, body: dict[str, Any], field: str
) -> None:
    answer = await hub.request("POST", "/api/reports", json=body)

    assert answer.status == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert hub.instances() == []


# With Azurite, by HTTP


async def post_invoice(sandbox: Sandbox) -> None:
    posting = {"kind": "invoice", "vendor": "acme", "number": "INV-1", "amount_cents": 500}
    await sandbox.send("POST", "/postings", posting, {"Idempotency-Key": str(uuid4())})


@pytest.mark.azurite
async def test_a_report_is_a_link_to_a_file(hub: ManualHub, filed: Filed, sandbox: Sandbox) -> None:
    await post_invoice(sandbox)
    order = {"year": 2026, "edition": filed.name}

    started = await hub.request("POST", "/api/reports", json=order)
    shown = await hub.request("POST", "/api/reports?wait=10", json=order)

    report = shown.json()
    here = f"http://localhost:7071/api/reports/report:2026:{filed.name}"
    assert (started.status, started.headers["Location"]) == (202, here)
    assert started.json()["id"] == f"report:2026:{filed.name}"
    assert (shown.status, report["lines"], report["totals"]) == (200, 1, {"invoice": 500})
    result = await hub.request("GET", report["resultUri"].removeprefix("http://localhost:7071"))
    assert (result.status, result.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    name = f"report-2026-{filed.name}.csv"
    assert result.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    header, line = result.text.splitlines()
    assert header == "time,id,kind,vendor,number,amount_cents,reversed"
    assert line.endswith(",posting-1,invoice,acme,INV-1,500,false")
    folder = Folder(container=RESULTS, prefix=f"report:2026:{filed.name}/")
    assert await blob_names(RESULTS, folder["prefix"], 9) == [f"{folder['prefix']}report.csv"]

    await delete_blobs(folder)
    gone = await hub.request("GET", report["resultUri"].removeprefix("http://localhost:7071"))
    assert (gone.status, gone.json()["code"]) == (404, "unknown_blob")


@pytest.mark.azurite
async def test_a_cancel_deletes_the_blobs_of_this_report_only(
    hub: ManualHub, filed: Filed, sandbox: Sandbox
) -> None:
    other = f"report:2026:{filed.name}-other/report.csv"
    await write_blob(RESULTS, other, b"another report's")
    await sandbox.fault("postings", fail_next=1)
    started = await hub.request("POST", "/api/reports", json={"year": 2026, "edition": filed.name})
    here = started.json()["id"]
    await hub.request("POST", f"/api/operations/{here}/cancel")
    await hub.run_until_ended(here)

    assert hub.output(here)["outcome"] == "cancelled"
    assert await blob_names(RESULTS, f"report:2026:{filed.name}", 9) == [other]
    await delete_blobs(Folder(container=RESULTS, prefix=other))


@pytest.mark.azurite
async def test_repeating_the_request_is_one_report_and_another_edition_is_another(
    hub: ManualHub, filed: Filed
) -> None:
    for edition in ("a", "a", "b"):
        order = {"year": 2026, "edition": f"{filed.name}-{edition}"}
        await hub.request("POST", "/api/reports", json=order)

    ids = [instance.id for instance in hub.instances("report:")]
    assert ids == [f"report:2026:{filed.name}-{edition}" for edition in "ab"]
    for each in ids:
        await delete_blobs(Folder(container=RESULTS, prefix=f"{each}/"))


# What holds whatever goes wrong: `make faults` checks it after each faulty run.


async def invariant_a_report_is_a_file_exactly_if_it_is_written(hub: ManualHub) -> None:
    for report in completed(hub, "yearly_report"):
        assert (report.output["file"] is not None) == (report.output["outcome"] == "written")
