"""The lanes of a month-end close limit how many vendors are closed in parallel."""

import asyncio
import os
from datetime import timedelta
from typing import Any

import pytest

from activities import limits
from blueprints.sub_orchestrations import VENDORS_A_GENERATION
from durablehost.testing import ManualHub
from orchestration.failures import Failure
from tests.closing import ID, MONTH, Ledger, ended, retry, run, start

# With MONTH_END_VENDORS=5000, the most there may be, it takes a quarter of a minute.
VENDORS = int(os.environ.get("MONTH_END_VENDORS", "600"))
BUSY = Failure("postings_unavailable", "the postings answered 503", retriable=True)


@pytest.mark.parametrize("lanes", [1, 3, 20])
async def test_each_lane_closes_one_vendor_at_a_time(hub: ManualHub, lanes: int) -> None:
    closing, most = 0, 0

    async def close(order: dict[str, Any]) -> dict[str, int]:
        nonlocal closing, most
        closing += 1
        most = max(most, closing)
        await asyncio.sleep(0)
        closing -= 1
        return {"invoice_cents": 1, "payment_cents": 0}

    Ledger(40).serve(hub)
    hub.replace_activity("reconcile_vendor_month", close)

    assert (await run(hub, lanes=lanes))["closed"] == 40
    assert most == lanes


async def test_the_setting_is_the_number_of_lanes(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    Ledger(40).serve(hub)
    monkeypatch.setenv("MONTH_END_LANES", "7")

    await hub.request("POST", "/api/month-ends", json={"month": MONTH})
    await hub.run_until_ended(ID)

    assert [each.name for each in hub.instances(ID)].count("month_end_lane") == 7


async def test_a_setting_that_is_not_a_number_is_named(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONTH_END_LANES", "many")

    answer = await hub.request("POST", "/api/month-ends", json={"month": MONTH})

    assert (answer.status, answer.json()["code"]) == (503, "not_configured")
    assert "MONTH_END_LANES" in answer.json()["detail"]


async def test_each_of_many_vendors_is_closed_once_and_no_history_is_long(hub: ManualHub) -> None:
    ledger = Ledger(VENDORS)
    ledger.failing = {"v00007", "v00599"}
    ledger.serve(hub)

    output = await run(hub, lanes=5)

    assert (output["closed"], output["failed"]) == (VENDORS - 2, 2)
    assert [failure["vendor"] for failure in output["failures"]] == ["v00007", "v00599"]
    assert len(ledger.closed) == len(hub.calls("close_vendor_month")) == VENDORS - 2
    lanes = [each.id for each in hub.instances(ID) if each.name == "month_end_lane"]
    assert len(lanes) == 5
    longest = max(len(hub.history(each)) for each in [ID, *lanes])
    assert longest <= 6 * VENDORS_A_GENERATION


async def test_the_custom_status_of_each_lane_shows_its_progress(hub: ManualHub) -> None:
    ledger = Ledger(10)
    ledger.failing = {"v00000"}
    ledger.serve(hub)
    hub.slow_activity("reconcile_vendor_month", timedelta(seconds=3))
    await start(hub, lanes=2)
    before = hub.custom_status(ID)

    await hub.advance(timedelta(seconds=5))

    lanes = [each.id for each in hub.instances(ID) if each.name == "month_end_lane"]
    assert before == {"step": "closing", "done": 0, "of": 10}
    assert [hub.custom_status(lane) for lane in lanes] == [
        {"step": "closing", "done": 0, "of": 5, "failed": 0},
        {"step": "closing", "done": 1, "of": 5, "failed": 0},
    ]
    assert (await ended(hub))["outcome"] == "incomplete"
    assert hub.custom_status(ID) == {"step": "incomplete", "done": 10, "of": 10, "failed": 1}


async def test_the_output_names_the_first_of_many_failures(hub: ManualHub) -> None:
    ledger = Ledger(limits.FAILURES_NAMED.most + 20)
    ledger.failing = {*ledger.open}
    ledger.serve(hub)

    output = await run(hub, lanes=20)

    assert output["failed"] == limits.FAILURES_NAMED.most + 20
    assert len(output["failures"]) == limits.FAILURES_NAMED.most


# Failures


@pytest.mark.parametrize(
    "activity",
    ["divide_vendors", "list_open_vendors", "reconcile_vendor_month", "close_vendor_month"],
)
async def test_an_activity_that_fails_twice_is_retried(hub: ManualHub, activity: str) -> None:
    ledger = Ledger(5)
    ledger.serve(hub)
    for call in (1, 2):
        hub.fail_activity(activity, BUSY, on_call=call)

    output = await run(hub, lanes=1)

    assert (output["outcome"], output["closed"]) == ("closed", 5)
    assert len(ledger.closed) == 5


async def test_a_failing_vendor_delays_only_its_own_lane(hub: ManualHub) -> None:
    ledger = Ledger(9)
    ledger.failing = {"v00000"}
    ledger.serve(hub)
    began = hub.clock.now()

    await run(hub)

    late = [call.input["vendor"] for call in hub.calls("close_vendor_month") if call.at > began]
    assert late == ["v00001", "v00002"]


async def test_a_lane_that_cannot_go_on_fails_the_close_and_a_retry_closes_the_rest(
    hub: ManualHub,
) -> None:
    ledger = Ledger(9)
    ledger.serve(hub)
    refused = Failure("postings_refused", "the postings answered 400")

    def list_vendors(query: Any) -> Any:
        if query["through"] == "v00005":
            raise refused
        return ledger.list_vendors(query)

    hub.replace_activity("list_open_vendors", list_vendors)
    await start(hub)
    await hub.run_until_ended(ID)
    operation = (await hub.request("GET", f"/api/operations/{ID}")).json()
    closed = len(ledger.closed)
    ledger.serve(hub)

    await retry(hub)

    assert operation["output"] == refused.as_data()
    assert closed == 6
    assert (await ended(hub))["closed_before"] == 6
    assert ledger.open == []


async def test_a_month_that_cannot_be_divided_ends_with_a_code_and_can_be_retried(
    hub: ManualHub,
) -> None:
    ledger = Ledger(3)
    ledger.serve(hub)
    too_many = Failure("too_many_vendors", "over 5000")
    for call in (1, 2, 3):
        hub.fail_activity("divide_vendors", too_many, on_call=call)
    await start(hub)
    await hub.run_until_ended(ID)
    operation = (await hub.request("GET", f"/api/operations/{ID}")).json()
    assert operation["output"] == too_many.as_data()

    again = await hub.request("POST", f"/api/operations/{ID}/retry")

    assert (again.status, hub.output(ID)["closed"]) == (202, 3)
