"""The ledger as a whole: what is on its way is named, and telling of it twice is one mail."""

import pytest

from activities.ledger import AuditOrder, StuckReport, audit_ledger, report_stuck_payments
from orchestration.failures import Failure
from tests.outside import Sandbox


async def move(sandbox: Sandbox, kind: str, account: str, payment: str) -> None:
    order = {"account": account, "amount_cents": 500, "payment": payment}
    await sandbox.send("POST", f"/bank/{kind}s", order, {"Idempotency-Key": f"{payment}:{kind}"})


async def test_a_payment_that_took_money_which_has_not_arrived_is_open(sandbox: Sandbox) -> None:
    await move(sandbox, "debit", "operating", "PAY-1")
    await move(sandbox, "debit", "operating", "PAY-2")
    await move(sandbox, "credit", "vendor:acme", "PAY-2")

    audit = await audit_ledger(AuditOrder(most=10))

    assert audit == {"balanced": True, "in_suspense_cents": 500, "open": ["PAY-1"]}


async def test_at_most_the_requested_number_of_payments_is_listed(sandbox: Sandbox) -> None:
    for number in range(3):
        await move(sandbox, "debit", "operating", f"PAY-{number}")

    assert (await audit_ledger(AuditOrder(most=2)))["open"] == ["PAY-0", "PAY-1"]


async def test_the_bank_is_asked_for_open_payments_only(sandbox: Sandbox) -> None:
    await move(sandbox, "debit", "operating", "PAY-1")
    await sandbox.fault("bank.audit", about="state=open", fail_next=1)

    with pytest.raises(Failure, match="bank_unavailable"):
        await audit_ledger(AuditOrder(most=10))


async def test_a_report_that_is_sent_twice_is_one_mail(sandbox: Sandbox) -> None:
    report = StuckReport(payments=["PAY-1", "PAY-2"], key="k")

    await report_stuck_payments(report)
    await report_stuck_payments(report)

    [mail] = await sandbox.mails("treasurer@example.com")
    assert mail["text"] == "PAY-1\nPAY-2"
