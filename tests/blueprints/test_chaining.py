"""Chaining: an invoice is validated, matched with its order, and posted once."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import azure.durable_functions as df
import pytest
from azure.durable_functions.testing import orchestrator_generator_wrapper

from activities.invoices import validate_invoice
from activities.orders import match_order
from activities.postings import post_invoice
from blueprints.chaining import invoice_intake
from durablehost.app.functions import FunctionTable
from durablehost.testing import ManualHub, every_crash
from tests.described import TRACE
from tests.faults.judging import completed
from tests.outside import Sandbox

INVOICE = {
    "vendor": "acme",
    "number": "INV-1",
    "order": "PO-1001",
    "amount_cents": 12_500,
    "currency": "EUR",
}
ID = "intake:acme:INV-1"


async def take_in(hub: ManualHub, **changes: Any) -> dict[str, Any]:
    """Send an invoice, let its intake end, and return the operation."""
    started = await hub.request("POST", "/api/invoices", json=INVOICE | changes)
    assert started.status == 202, started.text
    await hub.run_until_ended(started.json()["id"])
    shown = await hub.request("GET", f"/api/operations/{started.json()['id']}")
    operation: dict[str, Any] = shown.json()
    return operation


async def test_an_invoice_is_posted(hub: ManualHub, sandbox: Sandbox) -> None:
    operation = await take_in(hub)

    [posting] = await sandbox.postings()
    assert operation["runtimeStatus"] == "Completed"
    assert operation["output"] == {"id": posting["id"], "amount_cents": 12_500}
    assert posting["number"] == "INV-1"


async def test_each_step_receives_the_output_of_the_step_before_it(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await take_in(hub)

    assert [call.name for call in hub.calls()] == [
        "validate_invoice",
        "match_order",
        "post_invoice",
    ]
    [posting] = hub.calls("post_invoice")
    assert posting.input["invoice"] == INVOICE | {"ordered_cents": 125_000}


async def test_the_custom_status_names_the_current_step(hub: ManualHub) -> None:
    seen = []

    def look(value: dict[str, Any]) -> dict[str, Any]:
        seen.append(hub.custom_status(ID))
        return value | {"id": "posting-1"}

    for activity in ("validate_invoice", "match_order", "post_invoice"):
        hub.replace_activity(activity, look)
    operation = await take_in(hub)

    assert [status["step"] for status in seen] == ["validating", "matching", "posting"]
    assert [status["done"] for status in seen] == [0, 1, 2]
    assert operation["customStatus"] == {"step": "posted", "done": 3, "of": 3}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"currency": "XXX"}, "currency_unknown"),
        ({"order": "PO-1"}, "order_unknown"),
        ({"vendor": "globex"}, "other_vendor"),
        ({"amount_cents": 125_001}, "over_order"),
        ({"currency": "USD"}, "other_currency"),
    ],
)
async def test_an_invalid_invoice_fails_with_a_code_and_is_not_posted(
    hub: ManualHub, sandbox: Sandbox, changes: dict[str, Any], code: str
) -> None:
    operation = await take_in(hub, **changes)

    assert operation["runtimeStatus"] == "Failed"
    assert operation["output"]["code"] == code
    assert set(operation["output"]) == {"code", "message"}
    assert await sandbox.postings() == []


async def test_an_invoice_for_a_closed_order_is_refused(hub: ManualHub, sandbox: Sandbox) -> None:
    await sandbox.put("/orders/PO-7", vendor="acme", amount_cents=99_000, open=False)

    operation = await take_in(hub, order="PO-7")

    assert operation["output"]["code"] == "order_closed"


@pytest.mark.parametrize("party", ["orders", "postings"])
async def test_a_short_outage_delays_the_intake(
    hub: ManualHub, sandbox: Sandbox, party: str
) -> None:
    await sandbox.fault(party, fail_next=3)

    operation = await take_in(hub)

    assert operation["runtimeStatus"] == "Completed"
    assert len(await sandbox.postings()) == 1


async def test_a_posting_whose_answer_was_lost_is_not_posted_twice(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("postings", lose_answer_next=2)

    operation = await take_in(hub)

    [posting] = await sandbox.postings()
    assert operation["output"]["id"] == posting["id"]
    assert len(hub.calls("post_invoice")) == 3


async def test_a_long_outage_fails_the_intake_which_can_be_retried_later(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("postings", lose_answer_next=100)
    operation = await take_in(hub)
    assert operation["output"]["code"] == "postings_unavailable"

    await sandbox.mend()
    again = await hub.request("POST", f"/api/operations/{ID}/retry")
    await hub.run_until_ended(ID)

    assert again.status == 202
    assert hub.status(ID) == "Completed"
    assert len(await sandbox.postings()) == 1


async def test_repeating_the_request_returns_the_same_intake(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    first = await hub.request("POST", "/api/invoices", json=INVOICE)
    second = await hub.request("POST", "/api/invoices", json=INVOICE)

    assert (first.status, second.status) == (202, 200)
    assert first.json().items() - second.json().items() == {
        ("runtimeStatus", "Pending"),
        ("traceId", TRACE),
    }
    assert len(hub.calls("post_invoice")) == 1


async def test_repeating_the_request_of_a_failed_intake_returns_its_failure(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    invoice = INVOICE | {"order": "PO-7"}
    first = await hub.request("POST", "/api/invoices", json=invoice)
    await hub.run_until_ended(ID)

    again = await hub.request("POST", "/api/invoices", json=invoice)

    failure = {"code": "order_unknown", "message": "there is no order PO-7"}
    assert (again.status, again.json()["failure"]) == (200, failure)
    states = [answer.json()["runtimeStatus"] for answer in (first, again)]
    assert states == ["Pending", "Failed"]


@pytest.mark.parametrize("changes", [{}, {"amount_cents": 12_000}], ids=["same", "corrected"])
async def test_an_invoice_that_was_reversed_and_deleted_is_posted_when_it_is_sent_again(
    hub: ManualHub, sandbox: Sandbox, changes: dict[str, int]
) -> None:
    first = await take_in(hub)
    by_hand = {"Idempotency-Key": "by hand"}
    await sandbox.send("POST", f"/postings/{first['output']['id']}/reversal", {}, by_hand)
    await hub.request("DELETE", f"/api/operations/{ID}")
    await hub.advance(timedelta(seconds=1))

    again = await take_in(hub, **changes)

    standing = [posting for posting in await sandbox.postings() if not posting["reversed"]]
    assert [posting["id"] for posting in standing] == [again["output"]["id"]]
    assert standing[0]["amount_cents"] == changes.get("amount_cents", 12_500)


async def test_an_invoice_that_was_only_deleted_keeps_its_posting(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    first = await take_in(hub)
    await hub.request("DELETE", f"/api/operations/{ID}")
    await hub.advance(timedelta(seconds=1))

    again = await take_in(hub)

    assert again["output"] == first["output"]
    assert len(await sandbox.postings()) == 1


async def test_concurrent_requests_start_one_intake(hub: ManualHub, sandbox: Sandbox) -> None:
    asked = [hub.request("POST", "/api/invoices", json=INVOICE) for _ in range(10)]
    answers = await asyncio.gather(*asked)
    await hub.run_until_ended(ID)

    assert {answer.status for answer in answers} <= {200, 202}
    assert [instance.id for instance in hub.instances("intake:")] == [ID]
    assert len(await sandbox.postings()) == 1


async def test_a_number_that_was_used_for_a_different_invoice_is_a_conflict(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await take_in(hub)

    other = await hub.request("POST", "/api/invoices", json=INVOICE | {"amount_cents": 1})

    assert (other.status, other.json()["code"]) == (409, "other_work")
    assert "is Completed: delete it first" in other.json()["detail"]
    assert [posting["amount_cents"] for posting in await sandbox.postings()] == [12_500]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount_cents": 0}, "amount_cents"),
        ({"amount_cents": "12500"}, "amount_cents"),
        ({"amount_cents": 1.5}, "amount_cents"),
        ({"number": "INV/1"}, "number"),
        ({"vendor": "a" * 65}, "vendor"),
        ({"currency": "euro"}, "currency"),
        ({"iban": "DE00"}, "iban"),
    ],
)
async def test_an_invalid_body_names_the_field_and_starts_nothing(
    hub: ManualHub, changes: dict[str, Any], field: str
) -> None:
    answer = await hub.request("POST", "/api/invoices", json=INVOICE | changes)

    assert answer.status == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert hub.instances() == []


async def test_a_crash_between_any_two_steps_posts_once(
    durable_app: FunctionTable, sandbox: Sandbox
) -> None:
    async def run(hub: ManualHub) -> None:
        await hub.request("POST", "/api/invoices", json=INVOICE)
        await hub.run_until_ended(ID)

    async for hub in every_crash(durable_app, run):
        await hub.run_until_ended(ID)

        assert hub.status(ID) == "Completed"
        assert hub.problems(ID) == []
        assert len(await sandbox.postings()) == 1
        await sandbox.reset()


def test_the_orchestrator_can_be_tested_with_the_wrapper_of_the_sdk() -> None:
    """For people who do not use durablehost. Nothing is replayed here."""
    results = [INVOICE, {"id": "posting-1", "amount_cents": 12_500}]
    context = Mock(df.DurableOrchestrationContext, instance_id=ID, is_replaying=False)
    context.current_utc_datetime = datetime(2026, 1, 1, tzinfo=UTC)
    context.get_input.return_value = INVOICE
    context.new_uuid.return_value = "01234567-89ab-cdef-0123-456789abcdef"
    context.call_activity.return_value = Mock(result=INVOICE)
    context.call_activity_with_retry.side_effect = [Mock(result=result) for result in results]
    orchestrator = invoice_intake.build().get_user_function().orchestrator_function

    *_, posting = orchestrator_generator_wrapper(orchestrator(context))

    calls = context.call_activity.mock_calls + context.call_activity_with_retry.mock_calls
    called = [call.args[0] for call in calls]
    assert called == [validate_invoice, match_order, post_invoice]
    assert posting == {"id": "posting-1", "amount_cents": 12_500}


# What holds whatever goes wrong: `make faults` checks it after each faulty run.


async def invariant_an_invoice_is_posted_once_if_its_intake_completes(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    intakes = [each for each in hub.instances("intake:") if each.ended]
    posted = [each for each in await sandbox.postings() if not each["reversed"]]
    assert len(completed(hub, "invoice_intake")) <= len(posted) <= len(intakes)
