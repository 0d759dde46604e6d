"""A short form of the random kills during payments; `make chaos` runs the long form."""

from datetime import timedelta
from pathlib import Path

from activities.messages import PAYABLES
from durablehost.testing import ManualHub
from tests.chaos.payments import in_folder
from tests.chaos.payments_audit import BOOKS, HANDED_OVER, Order, audit
from tests.outside import Sandbox


def test_every_payment_is_whole_or_wholly_undone_and_no_money_is_made_or_lost(
    tmp_path: Path,
) -> None:
    found = in_folder(tmp_path, payments=40, kills=3, seed=3, say=print)

    assert found.wrong == []
    assert found.ends["paid"] >= 10
    assert found.undone >= 5
    assert found.replayed > 0
    assert found.reversals > 0


async def test_a_payment_that_cannot_be_undone_says_what_a_person_has_to_do(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    vendors = ("acme", "keeps-its-credit", "keeps-its-debit")
    orders = [Order(vendors[number % 3], f"P-{number}", 1_000 + number) for number in range(30)]
    await sandbox.fault("postings", one_in=2, method="POST", status=403)
    await sandbox.fault("bank.credits.reversal", about="keeps-its-credit", fail_next=1_000_000)
    await sandbox.fault("bank.debits.reversal", about="keeps-its-debit", fail_next=1_000_000)

    for order in orders:
        body = {
            "vendor": order.vendor,
            "number": order.number,
            "amount_cents": order.amount_cents,
        }
        await hub.request("POST", "/api/payments", json=body)
    await hub.advance(timedelta(days=2))

    operations = {
        o.id: (await hub.request("GET", f"/api/operations/{o.id}")).json() for o in orders
    }
    books = {path: await sandbox.get(path) for path in BOOKS}
    found = audit(orders, operations, books, replayed=0)
    assert found.wrong == []
    assert found.suspended_cents > 0
    handovers = [m for m in await sandbox.mails(PAYABLES) if m["key"].endswith(":handover")]
    assert len(handovers) == found.ends[HANDED_OVER] > 1
    assert found.ends["paid"] > 1
    assert found.undone > 1
