"""The lanes of a month-end close: so many vendors at once, however many there are."""

import asyncio
import json
import os
from datetime import timedelta
from typing import Any

import pytest

from blueprints.sub_orchestrations import MOST_LANES, NAMED, end_of, status_of
from blueprints.sub_orchestrations_lanes import VENDORS_A_GENERATION, nothing_done
from durablehost.testing import ManualHub
from orchestration.failures import Failure
from tests.closing import ID, MONTH, Ledger, ended, retry, run, start

# With MONTH_END_VENDORS=5000, the most there may be, it takes a quarter of a minute.
VENDORS = int(os.environ.get("MONTH_END_VENDORS", "600"))
BUSY = Failure("postings_unavailable", "the postings answered 503", retriable=True)


@pytest.mark.parametrize("lanes", [1, 3, 20])
async def test_as_many_vendors_are_closed_at_once_as_there_are_lanes_and_no_more(
    hub: ManualHub, lanes: int
) -> None:
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


async def test_the_setting_says_how_many_lanes_there_are(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    Ledger(40).serve(hub)
    monkeypatch.setenv("MONTH_END_LANES", "7")

    await hub.request("POST", "/api/month-ends", json={"month": MONTH})
    await hub.run_until_ended(ID)

    assert len(hub.custom_status(ID)["lanes"]) == 7


async def test_a_setting_that_is_no_number_is_named(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONTH_END_LANES", "many")

    answer = await hub.request("POST", "/api/month-ends", json={"month": MONTH})

    assert (answer.status, answer.json()["code"]) == (503, "not_configured")
    assert "MONTH_END_LANES" in answer.json()["detail"]


async def test_of_many_vendors_each_is_closed_once_and_no_history_is_long(hub: ManualHub) -> None:
    ledger = Ledger(VENDORS)
    ledger.failing = {"v00007", "v00599"}
    ledger.serve(hub)

    output = await run(hub, lanes=5)

    assert (output["closed"], output["failed"], output["left"]) == (VENDORS - 2, 2, 0)
    assert [failure["vendor"] for failure in output["failures"]] == ["v00007", "v00599"]
    assert len(ledger.closed) == len(hub.calls("close_vendor_month")) == VENDORS - 2
    lanes = [each.id for each in hub.instances(ID) if each.name == "month_end_lane"]
    assert len(lanes) == 5
    longest = max(len(hub.history(each)) for each in [ID, *lanes])
    assert longest <= 5 * VENDORS_A_GENERATION


async def test_the_custom_status_tells_of_each_lane(hub: ManualHub) -> None:
    ledger = Ledger(10)
    ledger.failing = {"v00000"}
    ledger.serve(hub)
    hub.slow_activity("reconcile_vendor_month", timedelta(seconds=3))
    await start(hub, lanes=2)
    begun = {"done": 0, "of": 5, "failed": 0}
    assert hub.custom_status(ID) == {
        **{"step": "closing", "done": 0, "of": 10, "failed": 0},
        "lanes": [begun, begun],
    }

    await hub.advance(timedelta(seconds=5))

    assert hub.custom_status(ID) == {
        **{"step": "closing", "done": 2, "of": 10, "failed": 1},
        "lanes": [{"done": 1, "of": 5, "failed": 1}, {"done": 1, "of": 5, "failed": 0}],
    }
    assert (await ended(hub))["outcome"] == "incomplete"
    assert hub.custom_status(ID)["step"] == "incomplete"
    assert hub.custom_status(ID)["done"] == 10


async def test_lanes_that_cannot_be_looked_at_go_on(hub: ManualHub) -> None:
    Ledger(4).serve(hub)
    hub.slow_activity("reconcile_vendor_month", timedelta(seconds=20))
    hub.fail_activity("look_at_children", ConnectionError("no answer"))

    assert (await run(hub, lanes=2))["outcome"] == "closed"
    assert len(hub.calls("look_at_children")) > 1


def test_the_custom_status_of_the_largest_close_is_small() -> None:
    share = {"after": "", "through": "", "vendors": 100}
    deal: Any = {"shares": [share] * MOST_LANES, "closed_before": 0}

    status = status_of("cancelling", deal, [{"done": 100, "of": 100, "failed": 100}] * MOST_LANES)

    assert (status["of"], status["failed"]) == (5000, 5000)
    assert 2 * len(json.dumps(status)) < 16 * 1024


def test_of_thousands_of_failures_the_answer_names_the_first() -> None:
    share = {"after": "", "through": "", "vendors": 100}
    deal: Any = {"shares": [share] * 50, "closed_before": 0}
    failure: Any = {"vendor": "v", "code": "not_reconciled", "message": "m"}
    tally = nothing_done("", None) | {"failed": 100, "failures": [failure] * 20}

    end = end_of(deal, [tally] * 50, None)

    assert (end["failed"], len(end["failures"])) == (5000, NAMED)


# Trouble


@pytest.mark.parametrize(
    "activity", ["list_open_vendors", "reconcile_vendor_month", "close_vendor_month"]
)
async def test_what_hiccups_is_tried_again(hub: ManualHub, activity: str) -> None:
    ledger = Ledger(5)
    ledger.serve(hub)
    for call in (1, 2, 4):
        hub.fail_activity(activity, BUSY, on_call=call)

    output = await run(hub)

    assert (output["outcome"], output["closed"]) == ("closed", 5)
    assert len(ledger.closed) == 5


async def test_a_lane_that_cannot_go_on_ends_alone_and_a_retry_takes_what_it_left(
    hub: ManualHub,
) -> None:
    ledger = Ledger(9)
    ledger.serve(hub)
    refused = Failure("postings_refused", "the postings answered 400")
    hub.fail_activity("list_open_vendors", refused, on_call=2)

    output = await run(hub)

    counts = (output["outcome"], output["closed"], output["failed"], output["left"])
    assert counts == ("incomplete", 6, 0, 3)
    assert output["stopped"] == [refused.as_data()]
    await retry(hub)
    assert (await ended(hub))["closed_before"] == 6
    assert ledger.open == []


async def test_a_month_that_cannot_be_dealt_out_ends_with_a_code_and_can_be_run_again(
    hub: ManualHub,
) -> None:
    Ledger(3).serve(hub)
    hub.fail_activity("deal_vendors", Failure("too_many_vendors", "over 5000"))
    await start(hub)
    operation = (await hub.request("GET", f"/api/operations/{ID}")).json()
    assert operation["output"] == {"code": "too_many_vendors", "message": "over 5000"}

    again = await hub.request("POST", f"/api/operations/{ID}/retry")

    assert (again.status, hub.output(ID)["closed"]) == (202, 3)
