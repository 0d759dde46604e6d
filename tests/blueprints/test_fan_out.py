"""Fan-out: all files are read, no more at once than allowed, and a failure stops no other file."""

import asyncio
import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from activities.blobs import RESULTS, blob_names, read_blob
from activities.invoice_files import FILES_A_PAGE
from blueprints.fan_out import LEFT, PAUSES
from durablehost.app.functions import FunctionTable
from durablehost.testing import ManualHub, every_crash
from orchestration.failures import Failure
from sandbox.demo_files import sample_files
from sandbox.documents import write_invoice
from tests.described import TRACE
from tests.faults.judging import completed
from tests.filing import Cabinet, Filed, failed
from tests.outside import Sandbox

ID = "batch:november"


async def start(hub: ManualHub, prefix: str = "", at_once: int = 20) -> None:
    batch = {"name": "november", "prefix": prefix, "settings": {"at_once": at_once}}
    await hub.start("invoice_batch", batch, instance_id=ID)


async def run(hub: ManualHub, **how: Any) -> dict[str, Any]:
    """Run a batch to its end and return the operation."""
    await start(hub, **how)
    await hub.run_until_ended(ID)
    operation: dict[str, Any] = (await hub.request("GET", f"/api/operations/{ID}")).json()
    return operation


# Without a storage: a cabinet replaces the activities that read and write blobs.


@pytest.fixture
def filled(hub: ManualHub, cabinet: Cabinet) -> Cabinet:
    """Twenty files over 1.00, 2.00, … 20.00 euros."""
    cabinet.fill(20)
    cabinet.serve(hub)
    return cabinet


async def test_every_file_is_read_and_counts_and_totals_are_merged(
    hub: ManualHub, filled: Cabinet
) -> None:
    filled.files |= {"usd-1.pdf": 5, "usd-2.pdf": 6}

    operation = await run(hub)

    assert operation["runtimeStatus"] == "Completed"
    summary = {"container": "results", "name": f"{ID}/summary.json", "bytes": 1}
    assert operation["output"] == {
        "files": 22,
        "read": 22,
        "failed": 0,
        "totals": {"EUR": 21_000, "USD": 11},
        "failures": [],
        "summary": summary,
    }


async def test_only_files_below_the_prefix_are_read(hub: ManualHub, filled: Cabinet) -> None:
    filled.fill(2, prefix="2026-11/")

    operation = await run(hub, prefix="2026-11/")

    assert (operation["output"]["files"], operation["output"]["totals"]) == (2, {"EUR": 300})


async def test_an_unreadable_file_is_named_and_does_not_stop_the_rest(
    hub: ManualHub, filled: Cabinet
) -> None:
    filled.files["00001-coffee.pdf"] = 1

    output = (await run(hub))["output"]

    assert (output["read"], output["failed"], output["totals"]) == (20, 1, {"EUR": 21_000})
    message = "coffee was spilled over 00001-coffee.pdf"
    [failure] = output["failures"]
    assert failure == {"file": "00001-coffee.pdf", "code": "unreadable", "message": message}
    assert len(hub.calls("read_invoice_file")) == 21


async def test_if_no_file_can_be_read_all_are_named(hub: ManualHub, cabinet: Cabinet) -> None:
    cabinet.files = {f"coffee-{n}": 1 for n in range(7)}
    cabinet.serve(hub)

    output = (await run(hub))["output"]

    assert (output["read"], output["failed"], output["totals"]) == (0, 7, {})
    assert [failure["file"] for failure in output["failures"]] == sorted(cabinet.files)


async def test_a_batch_without_files_has_an_empty_summary(hub: ManualHub, cabinet: Cabinet) -> None:
    cabinet.serve(hub)

    output = (await run(hub))["output"]

    assert (output["files"], output["read"], output["failed"], output["totals"]) == (0, 0, 0, {})
    empty = {"read": 0, "failed": 0, "totals": {}, "invoices": [], "failures": []}
    assert cabinet.results == {f"{ID}/summary.json": empty}


async def test_each_of_a_thousand_files_is_read_once(hub: ManualHub, cabinet: Cabinet) -> None:
    cabinet.fill(1000)
    cabinet.files_a_page = FILES_A_PAGE
    cabinet.serve(hub)

    output = (await run(hub))["output"]

    assert (output["read"], output["totals"]) == (1000, {"EUR": 50_050_000})
    read = sorted(call.input["file"] for call in hub.calls("read_invoice_file"))
    assert read == sorted(cabinet.files)
    assert max(len(hub.history(each.id)) for each in hub.instances(ID)) < 350


@pytest.mark.parametrize("at_once", [1, 2, 5, 7, 20, 100])
async def test_the_setting_limits_how_many_files_are_read_at_once(
    hub: ManualHub, cabinet: Cabinet, at_once: int
) -> None:
    reading, most = 0, 0

    async def read(name: dict[str, str]) -> dict[str, Any]:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        await asyncio.sleep(0)
        reading -= 1
        return cabinet.read(name)

    cabinet.fill(250)
    cabinet.files_a_page = 30
    cabinet.serve(hub)
    hub.replace_activity("read_invoice_file", read)

    await run(hub, at_once=at_once)

    assert most == at_once


async def test_the_custom_status_of_each_lane_shows_its_progress(
    hub: ManualHub, cabinet: Cabinet
) -> None:
    cabinet.fill(200)
    cabinet.serve(hub)
    hub.slow_activity("read_invoice_file", timedelta(seconds=3))
    await start(hub, at_once=4)
    await hub.advance(timedelta(minutes=1))
    batch = hub.custom_status(ID)
    answer = await hub.request("GET", f"/api/operations/{ID}/children")
    await hub.run_until_ended(ID)

    lanes = [child["customStatus"] for child in answer.json()["children"]]
    assert batch == {"step": "reading", "done": 0, "of": 200}
    assert [(lane["step"], lane["of"]) for lane in lanes] == [("reading", 50)] * 4
    assert 30 < sum(lane["done"] for lane in lanes) < 80
    assert hub.custom_status(ID) == {"step": "summed up", "done": 200, "of": 200}


@pytest.mark.parametrize("pages", [1, 5])
async def test_a_slow_file_delays_only_the_files_in_its_own_lane(
    hub: ManualHub, cabinet: Cabinet, pages: int
) -> None:
    """Four lanes of one file at a time; the first file of the first lane fails at each attempt."""
    cabinet.fill(4 * 10 * pages)
    cabinet.files_a_page = 10
    cabinet.serve(hub)
    began = hub.clock.now()
    out_of_order = Failure("reader_unavailable", "the reader answered 503", retriable=True)

    def read(name: dict[str, str]) -> dict[str, Any]:
        if name["file"] == "00000.pdf":
            return failed(name["file"], out_of_order)
        return cabinet.read(name)

    hub.replace_activity("read_invoice_file", read)
    await start(hub, at_once=4)
    await hub.run_until_ended(ID)

    late = {call.input["file"] for call in hub.calls("read_invoice_file") if call.at != began}
    assert late == {f"{n:05}.pdf" for n in range(10, 10 * pages)} | {"00000.pdf"}
    assert (hub.output(ID)["read"], hub.output(ID)["failed"]) == (40 * pages - 1, 1)


async def test_a_file_that_could_not_be_read_is_tried_again(
    hub: ManualHub, filled: Cabinet
) -> None:
    busy = Failure("reader_unavailable", "the reader answered 503", retriable=True)
    attempts: Counter[str] = Counter()

    def read(name: dict[str, str]) -> dict[str, Any]:
        file = name["file"]
        attempts[file] += 1
        if file in ("00001.pdf", "00016.pdf") and attempts[file] <= len(PAUSES):
            return failed(file, busy)
        return filled.read(name)

    hub.replace_activity("read_invoice_file", read)

    output = (await run(hub))["output"]

    assert (output["read"], output["failed"]) == (20, 0)
    assert attempts.total() == 18 + 2 * (len(PAUSES) + 1)


@pytest.mark.parametrize(
    "activity",
    [
        "list_invoice_files",
        "load_file_names",
        "write_batch_part",
        "write_batch_summary",
    ],
)
async def test_an_outage_of_the_storage_ends_with_a_code_and_a_retry_reads_all_files(
    hub: ManualHub, filled: Cabinet, activity: str
) -> None:
    gone = Failure("storage_unavailable", "the blob storage answered 503", retriable=True)
    for call in range(1, 50):
        hub.fail_activity(activity, gone, on_call=call)
    operation = await run(hub)
    assert operation["output"]["code"] == "storage_unavailable"

    while hub.status(ID) == "Failed":
        await hub.request("POST", f"/api/operations/{ID}/retry")
        await hub.run_until_ended(ID)

    assert hub.output(ID)["totals"] == {"EUR": 21_000}
    assert len(filled.results[f"{ID}/summary.json"]["invoices"]) == 20


async def test_too_many_files_end_with_a_code(hub: ManualHub, filled: Cabinet) -> None:
    for call in range(1, 5):
        too_many = Failure("too_many_files", "there are over 10000")
        hub.fail_activity("list_invoice_files", too_many, on_call=call)

    operation = await run(hub)

    assert (operation["runtimeStatus"], operation["output"]["code"]) == ("Failed", "too_many_files")


async def test_invoices_are_in_blobs_and_not_in_the_history_of_the_batch(
    hub: ManualHub, filled: Cabinet
) -> None:
    await run(hub)

    assert "00007.pdf" not in json.dumps(hub.history(ID))
    assert "00007.pdf" in json.dumps(filled.results[f"{ID}/summary.json"])


async def test_only_the_summary_is_left(hub: ManualHub, filled: Cabinet) -> None:
    await run(hub)

    assert set(filled.results) == {f"{ID}/summary.json"}


async def test_blobs_that_cannot_be_deleted_do_not_fail_the_batch(
    hub: ManualHub, filled: Cabinet
) -> None:
    for call in range(1, 50):
        hub.fail_activity("delete_blobs", Failure("storage_unavailable", "no"), on_call=call)

    assert (await run(hub))["output"]["totals"] == {"EUR": 21_000}


@pytest.mark.parametrize("seconds", [0, 1, 7, 20])
async def test_a_cancel_ends_a_batch_and_its_lanes(
    hub: ManualHub, filled: Cabinet, seconds: int
) -> None:
    hub.slow_activity("read_invoice_file", timedelta(seconds=10))
    await start(hub, at_once=4)
    await hub.advance(timedelta(seconds=seconds))

    answer = await hub.request("POST", f"/api/operations/{ID}/cancel?reason=moving")
    read = len(hub.calls("read_invoice_file"))
    await hub.advance(timedelta(minutes=5))

    assert (answer.status, answer.json()["warning"]) == (202, LEFT)
    assert (hub.status(ID), hub.output(ID)) == ("Terminated", "moving")
    lanes = hub.instances(f"{ID}:")
    assert [lane.status for lane in lanes] == ["Terminated"] * 4
    assert len(hub.calls("read_invoice_file")) <= read + 4  # those that were being read


async def test_a_cancel_while_files_are_listed_starts_no_lane(
    hub: ManualHub, filled: Cabinet
) -> None:
    hub.slow_activity("list_invoice_files", timedelta(seconds=10))
    await start(hub)

    await hub.request("POST", f"/api/operations/{ID}/cancel")
    await hub.advance(timedelta(minutes=5))

    assert hub.status(ID) == "Terminated"
    assert hub.instances(f"{ID}:") == []


async def test_the_next_run_of_a_cancelled_batch_ignores_its_parts_and_deletes_them(
    hub: ManualHub, filled: Cabinet
) -> None:
    await start(hub)
    written = dict(filled.results)
    await hub.request("DELETE", f"/api/operations/{ID}")
    filled.results |= {f"{ID}/parts/0/part-00-00000.json": {"invoices": [1], "failures": []}}
    filled.files = {"00000.pdf": 7}
    await hub.advance(timedelta(seconds=1))

    output = (await run(hub))["output"]

    assert (list(written), output["totals"]) == ([f"{ID}/summary.json"], {"EUR": 7})
    assert list(filled.results) == [f"{ID}/summary.json"]


async def test_a_lane_of_a_batch_that_was_terminated_does_not_disturb_the_next_run(
    hub: ManualHub, filled: Cabinet
) -> None:
    hub.slow_activity("read_invoice_file", timedelta(seconds=10))
    await start(hub)
    await hub.terminate(ID)
    await hub.request("DELETE", f"/api/operations/{ID}")
    await hub.advance(timedelta(seconds=1))
    filled.files = {"00000.pdf": 7}

    output = (await run(hub))["output"]

    assert (output["files"], output["totals"]) == (1, {"EUR": 7})
    assert [invoice["file"] for invoice in filled.results[f"{ID}/summary.json"]["invoices"]] == [
        "00000.pdf"
    ]


async def test_a_crash_between_any_two_steps_changes_no_total(
    durable_app: FunctionTable, cabinet: Cabinet
) -> None:
    cabinet.fill(8)
    cabinet.files["coffee"] = 1

    async def run_batch(hub: ManualHub) -> None:
        cabinet.results.clear()
        cabinet.serve(hub)
        await run(hub, at_once=4)

    async for hub in every_crash(durable_app, run_batch):
        await hub.run_until_ended(ID)

        assert (hub.output(ID)["totals"], hub.output(ID)["failed"]) == ({"EUR": 3600}, 1)
        assert hub.problems(ID) == []
        assert set(cabinet.results) == {f"{ID}/summary.json"}


async def test_without_a_storage_the_answer_is_503_and_nothing_is_started(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("INVOICES", "INVOICES__blobServiceUri", "AzureWebJobsStorage"):
        monkeypatch.delenv(name, raising=False)

    answer = await hub.request("POST", "/api/batches", json={"name": "november"})

    assert answer.status == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "AzureWebJobsStorage is missing" in answer.json()["detail"]
    assert hub.instances() == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": "n", "prefix": "a\\b"}, "prefix"),
        ({"name": "n", "prefix": "a\n"}, "prefix"),
        ({"name": "n", "prefix": "a" * 501}, "prefix"),
        ({"name": "n", "prefix": None}, "prefix"),
        ({"name": "n", "at_once": 1000}, "at_once"),
        ({"name": "n", "settings": {"at_once": 1000}}, "settings"),
    ],
)
async def test_an_invalid_body_names_the_field_and_starts_nothing(
    hub: ManualHub, body: dict[str, Any], field: str
) -> None:
    answer = await hub.request("POST", "/api/batches", json=body)

    assert answer.status == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert hub.instances() == []


# With Azurite, by HTTP


async def send(hub: ManualHub, filed: Filed, **changes: Any) -> Any:
    body = {"name": filed.name, "prefix": filed.prefix} | changes
    return await hub.request("POST", "/api/batches", json=body)


@pytest.mark.azurite
async def test_the_sample_files_are_summed_up_in_a_blob_named_after_the_batch(
    hub: ManualHub, filed: Filed
) -> None:
    await filed.put({name.split("/")[1]: content for name, content in sample_files().items()})

    started = await send(hub, filed)
    await hub.run_until_ended(started.json()["id"])

    output = hub.output(started.json()["id"])
    name = f"{started.json()['id']}/summary.json"
    assert (output["files"], output["read"], output["failed"]) == (20, 19, 1)
    assert output["failures"] == [
        {
            "file": f"{filed.prefix}INV-1020.pdf",
            "code": "unreadable",
            "message": "the file holds no legible text",
        }
    ]
    assert await blob_names(RESULTS, f"{started.json()['id']}/", 10) == [name]
    content = await read_blob(RESULTS, name, 2**20)
    assert output["summary"] == {"container": RESULTS, "name": name, "bytes": len(content)}
    summary = json.loads(content)
    assert (
        sum(invoice["amount_cents"] for invoice in summary["invoices"]) == (output["totals"]["EUR"])
    )
    assert summary["failures"] == output["failures"]


@pytest.mark.azurite
async def test_files_of_several_pages_are_all_read(
    hub: ManualHub, filed: Filed, sandbox: Sandbox
) -> None:
    count = 4 * FILES_A_PAGE + 1
    await filed.put({f"{n}.pdf": write_invoice("acme", str(n), 100) for n in range(count)})
    await sandbox.fault("reader.documents", one_in=40)

    started = await send(hub, filed)
    await hub.run_until_ended(started.json()["id"])

    output = hub.output(started.json()["id"])
    assert (output["read"], output["totals"]) == (count, {"EUR": count * 100})


@pytest.mark.azurite
async def test_no_file_below_the_prefix_is_an_empty_batch(hub: ManualHub, filed: Filed) -> None:
    started = await send(hub, filed)
    await hub.run_until_ended(started.json()["id"])

    assert hub.output(started.json()["id"])["files"] == 0


@pytest.mark.azurite
async def test_repeating_the_request_finds_the_batch_although_the_setting_changed(
    hub: ManualHub, filed: Filed, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await send(hub, filed)
    monkeypatch.setenv("BATCH_AT_ONCE", "7")
    second = await send(hub, filed)

    assert (first.status, second.status) == (202, 200)
    assert first.json().items() - second.json().items() == {
        ("runtimeStatus", "Pending"),
        ("traceId", TRACE),
    }
    assert len(hub.calls("list_invoice_files")) == 1


@pytest.mark.azurite
async def test_a_name_used_for_another_prefix_is_a_conflict(hub: ManualHub, filed: Filed) -> None:
    await send(hub, filed)

    other = await send(hub, filed, prefix="elsewhere/")

    assert (other.status, other.json()["code"]) == (409, "other_work")


@pytest.mark.azurite
@pytest.mark.parametrize(("setting", "at_once"), [("", 20), ("3", 3), ("5000", 100)])
async def test_the_starter_passes_the_setting_on_up_to_its_limit(
    hub: ManualHub, filed: Filed, monkeypatch: pytest.MonkeyPatch, setting: str, at_once: int
) -> None:
    monkeypatch.setenv("BATCH_AT_ONCE", setting)

    started = await send(hub, filed)

    shown = await hub.request("GET", f"/api/operations/{started.json()['id']}")
    assert shown.json()["input"]["settings"] == {"at_once": at_once}


@pytest.mark.azurite
async def test_a_setting_that_is_no_number_is_503(
    hub: ManualHub, filed: Filed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCH_AT_ONCE", "many")

    answer = await send(hub, filed)

    assert (answer.status, answer.json()["code"]) == (503, "not_configured")


# What holds whatever goes wrong: `make faults` checks it after each faulty run.


async def invariant_every_file_is_accounted_for(hub: ManualHub, cabinet: Cabinet) -> None:
    for batch in completed(hub, "invoice_batch"):
        result = batch.output
        assert result["files"] == result["read"] + result["failed"]
        assert result["files"] <= len(cabinet.files)
        summary = cabinet.results[result["summary"]["name"]]
        named = [each["file"] for each in [*summary["invoices"], *summary["failures"]]]
        assert sorted(named) == sorted(set(named))
        assert len(named) == result["files"]
