"""Saga: a payment is complete or completely undone, whatever fails, gets lost or crashes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from activities import limits
from activities.messages import PAYABLES
from durablehost.app.functions import FunctionTable
from durablehost.testing import InstanceState, ManualHub, every_crash
from orchestration.cancel_rules import CANCEL_EVENT
from orchestration.failures import Failure
from tests import approving
from tests.approving import DIRECTOR, LEAD
from tests.outside import Sandbox

PAYMENT = {"vendor": "acme", "number": "INV-1", "amount_cents": 12_500}
ID = "payment:acme:INV-1"
HERE = f"/api/operations/{ID}"
VENDOR = "vendor:acme"

# the route of each step, and the route that undoes it
PLACES = {"debit": "bank.debits", "credit": "bank.credits", "posting": "postings"}
UNDOING = {
    "debit": "bank.debits.reversal",
    "credit": "bank.credits.reversal",
    "posting": "postings.reversal",
}


async def pay(hub: ManualHub, **changes: Any) -> dict[str, Any]:
    """Send a payment, let it end, and return the operation."""
    started = await hub.request("POST", "/api/payments", json=PAYMENT | changes)
    assert started.status == 202, started.text
    await hub.run_until_ended(started.json()["id"])
    return await shown(hub)


async def shown(hub: ManualHub) -> dict[str, Any]:
    operation: dict[str, Any] = (await hub.request("GET", HERE)).json()
    return operation


async def at_the_bank(sandbox: Sandbox) -> dict[str, Any]:
    """The state of the payment at the bank; also checks that no money was made or lost."""
    audit = await sandbox.get("/bank/audit")
    assert audit["balanced"]
    nothing = {"state": "undone", "paid_cents": 0, "in_suspense_cents": 0}
    payment: dict[str, Any] = audit["payments"].get(ID, nothing)
    return payment


async def is_posted(sandbox: Sandbox) -> bool:
    return any(not posting["reversed"] for posting in await sandbox.postings())


async def is_complete(sandbox: Sandbox) -> bool:
    payment = await at_the_bank(sandbox)
    kept = (payment["state"], payment["paid_cents"], payment["in_suspense_cents"])
    return kept == ("paid", 12_500, 0) and await is_posted(sandbox)


async def is_undone(sandbox: Sandbox) -> bool:
    payment = await at_the_bank(sandbox)
    return payment["state"] == "undone" and not await is_posted(sandbox)


async def freeze(sandbox: Sandbox, account: str = VENDOR, *, frozen: bool = True) -> None:
    await sandbox.put(f"/bank/accounts/{account}", frozen=frozen)


async def refuse_after(hub: ManualHub, name: str, then: Callable[[], Awaitable[None]]) -> None:
    """Do something when the activity `name` is called, then fail the call."""

    async def refuse(_: object) -> None:
        await then()
        raise Failure("refused", "no")

    hub.replace_activity(name, refuse)


async def test_a_payment_is_debited_credited_and_posted_and_the_vendor_gets_a_mail(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    operation = await pay(hub)

    entries = (await sandbox.get(f"/bank/ledger?payment={ID}"))["entries"]
    [posting] = await sandbox.postings()
    [mail] = await sandbox.mails("accounts@acme.example")
    assert operation["runtimeStatus"] == "Completed"
    assert operation["output"] == {
        "outcome": "paid",
        "debit": entries[0]["id"],
        "credit": entries[1]["id"],
        "posting": posting["id"],
        "notice": mail["id"],
    }
    assert operation["customStatus"] == {"step": "paid", "done": 5, "of": 5}
    assert "125.00 for INV-1" in mail["text"]
    assert await is_complete(sandbox)


@pytest.mark.parametrize("step", PLACES)
async def test_a_step_that_is_refused_undoes_all_before_it(
    hub: ManualHub, sandbox: Sandbox, step: str
) -> None:
    await sandbox.fault(PLACES[step], fail_next=1, status=403)

    operation = await pay(hub)

    assert operation["runtimeStatus"] == "Failed"
    assert operation["output"]["code"] == "out_of_order"
    assert operation["customStatus"]["step"] == "undone"
    [mail] = await sandbox.mails(PAYABLES)
    assert mail["subject"] == f"{ID} has failed"
    assert operation["output"]["message"] in mail["text"]
    assert f"POST /api/operations/{ID}/retry" in mail["text"]
    assert await is_undone(sandbox)


@pytest.mark.parametrize("step", PLACES)
async def test_a_step_that_is_out_of_reach_for_too_long_undoes_all_before_it(
    hub: ManualHub, sandbox: Sandbox, step: str
) -> None:
    await sandbox.fault(PLACES[step], fail_next=5)

    operation = await pay(hub)

    assert operation["output"]["code"].endswith("_unavailable")
    assert await is_undone(sandbox)


@pytest.mark.parametrize("step", PLACES)
@pytest.mark.parametrize("fault", ["fail_next", "lose_answer_next"])
async def test_a_few_errors_and_lost_answers_do_not_stop_a_payment(
    hub: ManualHub, sandbox: Sandbox, step: str, fault: str
) -> None:
    await sandbox.fault(PLACES[step], **{fault: 3})

    operation = await pay(hub)

    assert operation["output"]["outcome"] == "paid"
    assert await is_complete(sandbox)
    assert len(await sandbox.postings()) == 1


@pytest.mark.parametrize("step", PLACES)
async def test_a_step_that_was_done_but_never_answered_is_undone(
    hub: ManualHub, sandbox: Sandbox, step: str
) -> None:
    await sandbox.fault(PLACES[step], lose_answer_next=5)

    operation = await pay(hub)

    entries = (await sandbox.get(f"/bank/ledger?payment={ID}"))["entries"]
    assert operation["runtimeStatus"] == "Failed"
    assert [entry["kind"] for entry in entries].count("reversal") == len(entries) / 2
    assert await is_undone(sandbox)


async def test_undos_run_in_reverse_order(hub: ManualHub, sandbox: Sandbox) -> None:
    await sandbox.fault("postings", fail_next=1, status=403)

    await pay(hub)

    assert [call.name for call in hub.calls() if call.name.startswith("reverse")] == [
        "reverse_payment",
        "reverse_credit",
        "reverse_debit",
    ]


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"amount_cents": 1_000_000_01}, "insufficient_funds"), ({}, "account_frozen")],
)
async def test_a_refusal_of_the_bank_ends_with_its_code_and_moves_nothing(
    hub: ManualHub,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    code: str,
) -> None:
    monkeypatch.setenv("PAYMENT_LIMIT_CENTS", str(limits.CENTS.most))
    await freeze(sandbox)

    operation = await pay(hub, **changes)

    assert operation["output"]["code"] == code
    assert await is_undone(sandbox)


async def test_an_account_never_goes_below_zero_when_many_pay_from_it_at_once(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYMENT_LIMIT_CENTS", str(limits.CENTS.most))
    for number in range(5):
        body = PAYMENT | {"number": f"INV-{number}", "amount_cents": 300_000_00}
        await hub.request("POST", "/api/payments", json=body)
    await hub.advance(timedelta(hours=1))

    audit = await sandbox.get("/bank/audit")
    states = [payment["state"] for payment in audit["payments"].values()]
    assert (audit["balanced"], audit["in_suspense_cents"]) == (True, 0)
    assert states.count("paid") == 3
    assert (await sandbox.get("/bank/accounts/operating"))["balance_cents"] == 100_000_00


async def test_a_vendor_who_cannot_be_notified_is_paid(hub: ManualHub, sandbox: Sandbox) -> None:
    await sandbox.fault("mail", fail_next=5)

    operation = await pay(hub)

    assert operation["output"]["outcome"] == "paid"
    assert operation["output"]["notice"]["code"] == "mail_unavailable"
    assert await is_complete(sandbox)


@pytest.mark.parametrize("step", UNDOING)
async def test_an_undo_that_fails_for_hours_is_retried_until_it_succeeds(
    hub: ManualHub, sandbox: Sandbox, step: str
) -> None:
    await sandbox.fault(UNDOING[step], fail_next=1_000)
    lost = {"debit": "bank.credits", "credit": "postings", "posting": "postings"}[step]
    await sandbox.fault(lost, lose_answer_next=5, method="POST")

    await hub.request("POST", "/api/payments", json=PAYMENT)
    await hub.advance(timedelta(hours=8))
    meanwhile = await shown(hub)
    await sandbox.mend()
    await hub.run_until_ended(ID)

    assert meanwhile["runtimeStatus"] == "Running"
    assert meanwhile["customStatus"]["step"] == f"undoing {step}"
    assert meanwhile["customStatus"]["failing"]["code"].endswith("_unavailable")
    assert hub.status(ID) == "Failed"
    assert await is_undone(sandbox)


async def test_an_undo_whose_answer_was_lost_is_not_done_twice(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("postings", fail_next=1, status=403)
    for place in UNDOING.values():
        await sandbox.fault(place, lose_answer_next=2)

    await pay(hub)

    entries = (await sandbox.get(f"/bank/ledger?payment={ID}"))["entries"]
    assert [entry["kind"] for entry in entries] == ["debit", "credit", "reversal", "reversal"]
    assert await is_undone(sandbox)


async def test_an_undo_that_is_refused_is_retried_as_well(hub: ManualHub, sandbox: Sandbox) -> None:
    await refuse_after(hub, "post_payment", lambda: freeze(sandbox))

    await hub.request("POST", "/api/payments", json=PAYMENT)
    await hub.advance(timedelta(hours=3))
    meanwhile = await shown(hub)
    await freeze(sandbox, frozen=False)
    await hub.run_until_ended(ID)

    assert meanwhile["customStatus"]["failing"]["code"] == "account_frozen"
    assert hub.status(ID) == "Failed"
    assert await is_undone(sandbox)


async def test_a_payment_that_cannot_be_undone_ends_with_a_mail_that_says_what_to_do(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await refuse_after(hub, "post_payment", lambda: freeze(sandbox))

    operation = await pay(hub)

    [mail] = await sandbox.mails(PAYABLES)
    output = operation["output"]
    assert operation["runtimeStatus"] == "Completed"
    assert output["outcome"] == "needs_a_person"
    assert (output["because"]["code"], output["undoing"]["code"]) == ("refused", "account_frozen")
    assert output["not_undone"] == ["debit", "credit"]
    assert operation["customStatus"]["what_to_do"] == output["what_to_do"]
    assert output["what_to_do"] in mail["text"]


async def test_the_steps_before_a_failed_undo_are_not_undone(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    """To reverse a debit whose credit was not undone would take the money of other payments."""
    await refuse_after(hub, "post_payment", lambda: freeze(sandbox))

    await pay(hub)

    payment = await at_the_bank(sandbox)
    assert (payment["state"], payment["in_suspense_cents"]) == ("paid", 0)
    assert hub.calls("reverse_debit") == []


async def test_a_payment_that_needs_a_person_cannot_be_retried(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await refuse_after(hub, "post_payment", lambda: freeze(sandbox))
    await pay(hub)

    retried = await hub.request("POST", f"{HERE}/retry")
    asked = await hub.request("POST", "/api/payments", json=PAYMENT)

    assert (retried.status, asked.status) == (409, 200)
    assert len(hub.calls("debit_account")) == 1


async def test_a_payment_that_was_undone_can_be_tried_again_and_then_moves_money(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await freeze(sandbox)
    await pay(hub)
    await freeze(sandbox, frozen=False)
    await hub.advance(timedelta(seconds=1))

    again = await hub.request("POST", f"{HERE}/retry")
    await hub.run_until_ended(ID)

    assert again.status == 202
    assert hub.output(ID)["outcome"] == "paid"
    assert await is_complete(sandbox)


async def test_a_payment_whose_operation_was_deleted_is_not_made_twice(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await pay(hub)
    await hub.request("DELETE", HERE)

    operation = await pay(hub)

    assert operation["output"]["code"] == "paid_before"
    assert await is_complete(sandbox)


@pytest.mark.parametrize(
    ("place", "entries"), [("bank.ledger", 0), ("bank.debits", 2), ("bank.credits", 4)]
)
async def test_a_cancel_takes_effect_when_the_current_step_has_ended(
    hub: ManualHub, sandbox: Sandbox, place: str, entries: int
) -> None:
    await sandbox.fault(place, fail_next=2)
    await hub.request("POST", "/api/payments", json=PAYMENT)

    cancelled = await hub.request("POST", f"{HERE}/cancel?reason=wrong+vendor")
    await hub.run_until_ended(ID)

    operation = await shown(hub)
    assert cancelled.status == 202
    assert operation["output"] == {
        "code": "cancelled",
        "message": "the payment was cancelled: wrong vendor",
    }
    assert len((await sandbox.get(f"/bank/ledger?payment={ID}"))["entries"]) == entries
    assert await is_undone(sandbox)
    [mail] = await sandbox.mails(PAYABLES)
    assert mail["subject"] == f"{ID} was cancelled"
    assert "the payment was cancelled: wrong vendor" in mail["text"]


async def test_a_cancelled_payment_that_is_retried_is_paid(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("bank.debits", fail_next=2)
    await hub.request("POST", "/api/payments", json=PAYMENT)
    await hub.request("POST", f"{HERE}/cancel")
    await hub.run_until_ended(ID)
    assert hub.status(ID) == "Failed"

    await hub.request("POST", f"{HERE}/retry")
    await hub.run_until_ended(ID)

    assert hub.output(ID)["outcome"] == "paid"
    assert await is_complete(sandbox)


async def test_a_cancel_after_the_posting_changes_nothing(hub: ManualHub, sandbox: Sandbox) -> None:
    await sandbox.fault("mail", fail_next=2)
    await hub.request("POST", "/api/payments", json=PAYMENT)

    await hub.raise_event(ID, CANCEL_EVENT, {"reason": "too late"})
    await hub.run_until_ended(ID)

    assert hub.output(ID)["outcome"] == "paid"
    assert await is_complete(sandbox)


async def test_concurrent_requests_make_one_payment(hub: ManualHub, sandbox: Sandbox) -> None:
    asked = [hub.request("POST", "/api/payments", json=PAYMENT) for _ in range(10)]
    answers = await asyncio.gather(*asked)
    await hub.run_until_ended(ID)

    assert {answer.status for answer in answers} <= {200, 202}
    assert await is_complete(sandbox)


async def test_another_amount_for_an_invoice_is_a_conflict(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await pay(hub)

    other = await hub.request("POST", "/api/payments", json=PAYMENT | {"amount_cents": 1})

    assert (other.status, other.json()["code"]) == (409, "other_work")
    assert await is_complete(sandbox)


# Payments that need an approval

OVER = {"amount_cents": 5_000_001}


async def approve(hub: ManualHub, sandbox: Sandbox, decision: str = "approve") -> None:
    """Have two of three people decide on the payment over the limit."""
    await approving.ask(hub, **OVER)
    for person in (LEAD, DIRECTOR):
        await approving.decide(hub, await approving.link(sandbox, person), decision)


async def refused(hub: ManualHub, **changes: Any) -> str:
    """The detail of the 409 for a payment that has no approval."""
    before = hub.instances()
    answer = await hub.request("POST", "/api/payments", json=PAYMENT | OVER | changes)
    assert (answer.status, answer.json()["code"]) == (409, "approval_required")
    assert hub.instances() == before
    return str(answer.json()["detail"])


async def test_a_payment_at_the_limit_needs_no_approval(hub: ManualHub, sandbox: Sandbox) -> None:
    operation = await pay(hub, amount_cents=5_000_000)

    assert operation["output"]["outcome"] == "paid"


async def test_the_limit_is_a_setting(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYMENT_LIMIT_CENTS", "100")

    assert "over 1.00" in await refused(hub, amount_cents=101)
    assert (await pay(hub, amount_cents=100))["output"]["outcome"] == "paid"


async def test_a_limit_that_is_no_number_starts_nothing(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYMENT_LIMIT_CENTS", "much")

    answer = await hub.request("POST", "/api/payments", json=PAYMENT)

    assert (answer.status, answer.json()["code"]) == (503, "not_configured")
    assert hub.instances() == []


async def test_a_payment_over_the_limit_is_made_once_it_is_approved(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    assert "POST /api/approvals" in await refused(hub)
    await approve(hub, sandbox)

    operation = await pay(hub, **OVER)

    assert operation["output"]["outcome"] == "paid"
    assert (await at_the_bank(sandbox))["paid_cents"] == 5_000_001


async def test_a_payment_waits_for_the_end_of_its_approval(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await approving.ask(hub, **OVER)
    await approving.decide(hub, await approving.link(sandbox, LEAD))

    assert "approval:acme:INV-1 is Running" in await refused(hub)


@pytest.mark.parametrize("outcome", ["rejected", "expired", "Terminated"])
async def test_a_payment_that_was_not_approved_is_not_made(
    hub: ManualHub, sandbox: Sandbox, outcome: str
) -> None:
    if outcome == "rejected":
        await approve(hub, sandbox, "reject")
    else:
        await approving.ask(hub, **OVER)
    if outcome == "Terminated":
        await hub.request("POST", f"{approving.HERE}/cancel")
    await hub.advance(timedelta(days=31))

    assert f"approval:acme:INV-1 is {outcome}" in await refused(hub)


@pytest.mark.parametrize(
    "changes", [{"number": "INV-2"}, {"vendor": "globex"}, {"amount_cents": 5_000_002}]
)
async def test_an_approval_allows_no_other_payment(
    hub: ManualHub, sandbox: Sandbox, changes: dict[str, Any]
) -> None:
    await approve(hub, sandbox)

    await refused(hub, **changes)


async def test_an_approval_does_not_pay_an_invoice_twice(hub: ManualHub, sandbox: Sandbox) -> None:
    await approve(hub, sandbox)
    await pay(hub, **OVER)
    await hub.request("DELETE", HERE)

    operation = await pay(hub, **OVER)

    assert operation["output"]["code"] == "paid_before"
    assert (await at_the_bank(sandbox))["paid_cents"] == 5_000_001


async def test_a_payment_that_was_made_is_shown_after_its_approval_was_deleted(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await approve(hub, sandbox)
    await pay(hub, **OVER)
    await hub.request("DELETE", approving.HERE)

    again = await hub.request("POST", "/api/payments", json=PAYMENT | OVER)

    assert again.status == 200


async def test_an_approval_that_is_gone_when_the_payment_begins_moves_nothing(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await approve(hub, sandbox)
    await sandbox.fault("bank.ledger", fail_next=2)
    await hub.request("POST", "/api/payments", json=PAYMENT | OVER)

    await hub.request("DELETE", approving.HERE)
    await hub.run_until_ended(ID)

    assert (await shown(hub))["output"]["code"] == "approval_required"
    assert hub.calls("debit_account") == []


async def test_a_payment_that_was_undone_is_tried_again_with_the_same_approval(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await approve(hub, sandbox)
    await freeze(sandbox)
    await pay(hub, **OVER)
    await freeze(sandbox, frozen=False)
    await hub.advance(timedelta(seconds=1))

    await hub.request("POST", f"{HERE}/retry")
    await hub.run_until_ended(ID)

    assert hub.output(ID)["outcome"] == "paid"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount_cents": 0}, "amount_cents"),
        ({"amount_cents": 10**12 + 1}, "amount_cents"),
        ({"vendor": "acme/../operating"}, "vendor"),
        ({"account": "operating"}, "account"),
    ],
)
async def test_an_invalid_body_names_the_field_and_starts_nothing(
    hub: ManualHub, changes: dict[str, Any], field: str
) -> None:
    answer = await hub.request("POST", "/api/payments", json=PAYMENT | changes)

    assert answer.status == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert hub.instances() == []


async def test_a_crash_between_any_two_steps_leaves_a_payment_complete(
    durable_app: FunctionTable, sandbox: Sandbox
) -> None:
    async def run(hub: ManualHub) -> None:
        await hub.request("POST", "/api/payments", json=PAYMENT)
        await hub.run_until_ended(ID)

    async for hub in every_crash(durable_app, run):
        await hub.run_until_ended(ID)

        assert hub.output(ID)["outcome"] == "paid"
        assert hub.problems(ID) == []
        assert await is_complete(sandbox)
        assert len(await sandbox.mails("accounts@acme.example")) == 1
        await sandbox.reset()


async def test_a_crash_between_any_two_undos_leaves_a_payment_undone(
    durable_app: FunctionTable, sandbox: Sandbox
) -> None:
    async def run(hub: ManualHub) -> None:
        await sandbox.reset()
        await sandbox.fault("postings", lose_answer_next=5)
        await sandbox.fault("bank.credits.reversal", lose_answer_next=1)
        await hub.request("POST", "/api/payments", json=PAYMENT)
        await hub.run_until_ended(ID)

    async for hub in every_crash(durable_app, run):
        await hub.run_until_ended(ID)

        assert hub.status(ID) in ("Completed", "Failed")
        assert hub.problems(ID) == []
        undone = hub.status(ID) == "Failed"
        assert await (is_undone(sandbox) if undone else is_complete(sandbox))


# What holds whatever goes wrong: `make faults` checks it after each faulty run.


def is_paid(payment: InstanceState) -> bool:
    """A payment of which an undo failed completes, too: as `needs_a_person`."""
    return payment.status == "Completed" and payment.output["outcome"] == "paid"


async def invariant_no_payment_is_doubled_and_no_money_is_lost(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    audit = await sandbox.get("/bank/audit")
    assert audit["balanced"]
    for each in hub.instances("payment:"):
        if each.name != "invoice_payment" or not each.ended:
            continue
        payment = audit["payments"].get(each.id)
        if is_paid(each):
            assert payment is not None
            assert (payment["state"], payment["in_suspense_cents"]) == ("paid", 0)
        elif each.status == "Completed":
            assert each.output["not_undone"]  # the money that a person has to look for
        elif each.status == "Failed":
            assert payment is None or payment["state"] == "undone"


async def invariant_a_payment_is_posted_exactly_if_it_is_paid(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    posted = [each for each in await sandbox.postings() if not each["reversed"]]
    ended = [each for each in hub.instances("payment:") if each.name == "invoice_payment"]
    if all(is_paid(each) for each in ended):
        assert len(posted) == len(ended)
    assert len(posted) <= len(ended)
