"""Sub-orchestrations: a month is closed in lanes, with one child for each vendor."""

from datetime import timedelta
from typing import Any

import pytest

from blueprints.sub_orchestrations import CONTROLLER, LEFT
from durablehost.app.functions import FunctionTable
from durablehost.testing import Answer, ManualHub, every_crash
from orchestration.failures import Failure
from tests.closing import ID, MONTH, Books, Ledger, cancel, ended, going, retry, run, start
from tests.faults.judging import completed
from tests.outside import Sandbox

BUSY = Failure("postings_unavailable", "the postings answered 503", retriable=True)


@pytest.fixture
def books(sandbox: Sandbox) -> Books:
    return Books(sandbox)


async def test_every_vendor_is_closed_with_the_sums_of_its_invoices_and_payments(
    hub: ManualHub, sandbox: Sandbox, books: Books
) -> None:
    await books.post("acme", 500)
    await books.post("acme", 300)
    await books.post("globex", 7)
    payment = {"vendor": "acme", "number": "1", "amount_cents": 800}
    await hub.request("POST", "/api/payments", json=payment)

    output = await run(hub)

    assert (output["outcome"], output["closed"], output["failed"]) == ("closed", 2, 0)
    sums = {
        closing["vendor"]: (closing["invoice_cents"], closing["payment_cents"])
        for closing in await books.closings()
    }
    assert sums == {"acme": (800, 800), "globex": (7, 0)}
    assert hub.problems() == []


async def test_a_failing_vendor_is_reported_and_does_not_stop_the_others(
    hub: ManualHub, sandbox: Sandbox, books: Books
) -> None:
    for vendor in ("acme", "globex", "initech"):
        await books.post(vendor)
    await books.post("globex", 5, kind="payment")

    output = await run(hub)

    message = f"5 cents are posted as paid to globex in {MONTH}, and the bank paid 0: find out why"
    [failure] = output["failures"]
    assert failure == {"vendor": "globex", "code": "not_reconciled", "message": message}
    counts = (output["outcome"], output["closed"], output["failed"])
    assert counts == ("incomplete", 2, 1)
    assert await books.closed() == ["acme", "initech"]
    [mail] = await sandbox.mails(CONTROLLER)
    assert mail["text"] == f"2 closed, 1 failed\nglobex: {message}"


async def test_a_close_whose_vendors_all_fail_reports_them_all(
    hub: ManualHub, books: Books
) -> None:
    vendors = [f"vendor-{number}" for number in range(7)]
    for vendor in vendors:
        await books.post(vendor, kind="payment")

    output = await run(hub)

    counts = (output["outcome"], output["closed"], output["failed"])
    assert counts == ("incomplete", 0, 7)
    assert [failure["vendor"] for failure in output["failures"]] == vendors
    assert hub.custom_status(ID)["failed"] == 7


async def test_a_difference_within_the_tolerance_is_accepted(hub: ManualHub, books: Books) -> None:
    await books.post("acme", 510, kind="payment")
    await books.pay("acme", 500)

    output = await run(hub, tolerance_cents=10)

    assert (output["outcome"], await books.closed()) == ("closed", ["acme"])


async def test_a_month_without_vendors_is_closed_at_once(hub: ManualHub, books: Books) -> None:
    output = await run(hub)

    assert (output["outcome"], output["closed"], output["closed_before"]) == ("closed", 0, 0)
    assert [instance.id for instance in hub.instances()] == [ID]


async def test_a_vendor_whose_name_fits_no_id_is_closed(hub: ManualHub, books: Books) -> None:
    for vendor in ("Bücher & Söhne", "a/b#c?", "v" * 100):
        await books.post(vendor)

    assert (await run(hub, lanes=1))["closed"] == 3
    assert len(await books.closed()) == 3


async def test_a_posting_between_reconciling_and_closing_prevents_the_closing(
    hub: ManualHub, sandbox: Sandbox, books: Books
) -> None:
    await books.post("acme", 500)

    async def post_another(order: dict[str, Any]) -> dict[str, int]:
        await books.post("acme", 1)
        return {"invoice_cents": 500, "payment_cents": 0}

    hub.replace_activity("reconcile_vendor_month", post_another)
    output = await run(hub)

    assert [failure["code"] for failure in output["failures"]] == ["sums_changed"]
    assert await books.closed() == []


async def test_a_report_that_cannot_be_sent_does_not_fail_the_close(
    hub: ManualHub, sandbox: Sandbox, books: Books
) -> None:
    await books.post("acme", kind="payment")
    await sandbox.fault("mail", fail_next=99)

    output = await run(hub)

    assert (output["outcome"], output["report"]["code"]) == ("incomplete", "mail_unavailable")


async def test_a_crash_between_any_two_steps_closes_each_vendor_once(
    durable_app: FunctionTable, sandbox: Sandbox, books: Books
) -> None:
    async def close(hub: ManualHub) -> None:
        await sandbox.reset()
        for vendor in ("acme", "globex", "initech"):
            await books.post(vendor)
        await books.post("globex", kind="payment")
        hub.fail_activity("reconcile_vendor_month", BUSY, on_call=1)
        await run(hub, lanes=2)

    async for hub in every_crash(durable_app, close):
        output = await ended(hub)

        assert (output["closed"], output["failed"]) == (2, 1)
        assert await books.closed() == ["acme", "initech"]
        assert len(await sandbox.mails(CONTROLLER)) == 1
        assert hub.problems() == []


# Requested again


async def post(hub: ManualHub, **body: Any) -> Answer:
    return await hub.request("POST", "/api/month-ends", json=body)


async def test_repeating_the_request_finds_the_close(hub: ManualHub) -> None:
    Ledger(3).serve(hub)
    hub.slow_activity("reconcile_vendor_month", timedelta(seconds=1))

    first = await post(hub, month=MONTH)
    second = await hub.request(
        "POST", "/api/month-ends", json={"month": MONTH, "tolerance_cents": 0}
    )
    await ended(hub)
    third = await post(hub, month=MONTH)

    assert [answer.status for answer in (first, second, third)] == [202, 202, 200]
    assert [answer.json()["id"] for answer in (first, second, third)] == [ID, ID, ID]
    states = [answer.json()["runtimeStatus"] for answer in (first, second, third)]
    assert states == ["Pending", "Running", "Completed"]
    assert len(hub.calls("close_vendor_month")) == 3


@pytest.mark.parametrize("is_ended", [True, False])
async def test_the_same_month_with_another_tolerance_is_refused(
    hub: ManualHub, is_ended: bool
) -> None:
    Ledger(3).serve(hub)
    hub.slow_activity("reconcile_vendor_month", timedelta(seconds=1))
    await post(hub, month=MONTH)
    if is_ended:
        await ended(hub)

    other = await hub.request(
        "POST", "/api/month-ends", json={"month": MONTH, "tolerance_cents": 5}
    )

    assert (other.status, other.json()["code"]) == (409, "other_work")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"month": "2026-13"},
        {"month": "October"},
        {"month": MONTH, "tolerance_cents": -1},
        {"month": MONTH, "tolerance_cents": "5"},
        {"month": MONTH, "vendors": ["acme"]},
    ],
)
async def test_an_invalid_body_starts_nothing(hub: ManualHub, body: Any) -> None:
    answer = await post(hub, **body)

    assert (answer.status, answer.json()["code"]) == (422, "invalid_body")
    assert hub.instances() == []


async def test_a_retry_closes_only_the_vendors_that_are_open(hub: ManualHub, books: Books) -> None:
    for vendor in ("acme", "globex", "initech"):
        await books.post(vendor)
    await books.post("globex", 5, kind="payment")
    await run(hub)
    before = await books.closings()
    await books.pay("globex", 5)
    await hub.advance(timedelta(minutes=1))
    first = len(hub.calls("reconcile_vendor_month"))

    answer = await retry(hub)

    output = await ended(hub)
    assert answer.status == 202
    retried = [call.input["vendor"] for call in hub.calls("reconcile_vendor_month")[first:]]
    assert retried == ["globex"]
    assert (output["outcome"], output["closed_before"], output["closed"]) == ("closed", 2, 1)
    assert (await books.closings())[:2] == before
    tree = await hub.request("GET", f"/api/operations/{ID}/children")
    names = [child["name"] for child in tree.json()["children"]]
    assert names == ["month_end_lane", "month_end_vendor"]
    again = await post(hub, month=MONTH)
    assert again.status == 200


async def test_a_retry_uses_the_settings_of_today(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(9)
    ledger.failing = set(ledger.open)
    ledger.serve(hub)
    await run(hub, lanes=3)
    monkeypatch.setenv("MONTH_END_LANES", "5")

    await retry(hub)

    await ended(hub)
    tree = await hub.request("GET", f"/api/operations/{ID}/children")
    assert [child["name"] for child in tree.json()["children"]].count("month_end_lane") == 5


async def test_only_an_ended_close_with_open_vendors_is_retried(hub: ManualHub) -> None:
    Ledger(1).serve(hub)
    hub.slow_activity("reconcile_vendor_month", timedelta(seconds=1))

    unknown = await retry(hub)
    await start(hub)
    running = await retry(hub)
    await ended(hub)
    done = await retry(hub)
    child = hub.instances(f"{ID}:")[0].id
    lane = await hub.request("POST", f"/api/month-ends/{child}/retry")

    answers = [(each.status, each.json()["code"]) for each in (unknown, running, done, lane)]
    assert answers == [
        (404, "unknown_operation"),
        (409, "wrong_state"),
        (409, "nothing_to_retry"),
        (404, "unknown_operation"),
    ]


# Cancelled


async def middle(hub: ManualHub, ledger: Ledger) -> None:
    """A close of twelve vendors in three lanes, each of which is at its second."""
    ledger.serve(hub)
    hub.slow_activity("reconcile_vendor_month", timedelta(seconds=3))
    await start(hub)
    await hub.advance(timedelta(seconds=4))
    assert len(ledger.closed) == 3
    assert len(going(hub)) == 7


async def test_a_cancel_ends_the_close_its_lanes_and_its_vendors(hub: ManualHub) -> None:
    ledger = Ledger(12)
    await middle(hub, ledger)

    answer = await cancel(hub)
    await hub.advance(timedelta(minutes=2))

    assert (answer.status, answer.json()["warning"]) == (202, LEFT)
    assert (hub.status(ID), hub.output(ID)) == ("Terminated", "too early")
    assert (going(hub), len(ledger.closed)) == ([], 3)


async def test_a_cancelled_close_can_be_retried_at_once(hub: ManualHub) -> None:
    ledger = Ledger(12)
    await middle(hub, ledger)
    await cancel(hub)

    answer = await retry(hub)

    output = await ended(hub)
    await hub.advance(timedelta(minutes=2))
    assert answer.status == 202
    assert (output["outcome"], output["closed_before"], output["closed"]) == ("closed", 3, 9)
    assert (ledger.open, going(hub)) == ([], [])


async def test_a_suspended_close_can_be_cancelled(hub: ManualHub) -> None:
    ledger = Ledger(12)
    await middle(hub, ledger)
    await hub.suspend(f"{going(hub)[-1]}")
    await hub.suspend(ID)

    await cancel(hub)
    await hub.advance(timedelta(minutes=2))

    assert (hub.status(ID), going(hub)) == ("Terminated", [])


async def test_a_vendor_cannot_be_cancelled_on_its_own(hub: ManualHub) -> None:
    ledger = Ledger(12)
    await middle(hub, ledger)
    vendor = next(each for each in going(hub) if each.endswith(":v00005"))

    answer = await hub.request("POST", f"/api/operations/{vendor}/cancel")

    assert (answer.status, answer.json()["code"]) == (409, "not_cancellable")
    assert (await ended(hub))["closed"] == 12


async def test_a_vendor_that_is_terminated_is_run_again(hub: ManualHub) -> None:
    ledger = Ledger(12)
    await middle(hub, ledger)
    vendor = next(each for each in going(hub) if each.endswith(":v00005"))

    await hub.request("POST", f"/api/operations/{vendor}/cancel?force=true")

    assert (await ended(hub))["closed"] == 12


async def test_an_ended_close_cannot_be_cancelled(hub: ManualHub) -> None:
    Ledger(1).serve(hub)
    await run(hub)

    assert (await cancel(hub)).status == 410


@pytest.mark.parametrize("vendors_a_generation", [1, 25])
async def test_a_cancel_between_any_two_steps_leaves_none_running(
    durable_app: FunctionTable, monkeypatch: pytest.MonkeyPatch, vendors_a_generation: int
) -> None:
    size = "blueprints.sub_orchestrations.VENDORS_A_GENERATION"
    monkeypatch.setattr(size, vendors_a_generation)

    async def close(hub: ManualHub) -> None:
        Ledger(3).serve(hub)
        hub.fail_activity("reconcile_vendor_month", BUSY, on_call=2)
        await run(hub, lanes=2)

    async for hub in every_crash(durable_app, close):
        await cancel(hub)
        await hub.advance(timedelta(minutes=2))

        assert (going(hub), hub.problems()) == ([], [])
        assert hub.status(ID) in ("Terminated", "Completed")


# What holds whatever goes wrong: `make faults` checks it after each faulty run.


async def invariant_every_vendor_is_closed_or_named(hub: ManualHub) -> None:
    for close in completed(hub, "month_end_close"):
        result = close.output
        assert (result["outcome"] == "closed") == (result["failed"] == 0)
        assert len(result["failures"]) <= result["failed"]
        vendors = [each["vendor"] for each in result["failures"]]
        assert len(vendors) == len(set(vendors))
