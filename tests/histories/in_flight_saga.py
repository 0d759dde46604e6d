"""Saga: a payment of which the first step was done."""

from datetime import timedelta

from durablehost.testing import ManualHub
from tests.outside import Sandbox


async def record_invoice_payment(hub: ManualHub, sandbox: Sandbox) -> None:
    hub.slow_activity("credit_vendor", timedelta(minutes=1))
    payment = {"vendor": "acme", "number": "INV-1", "amount_cents": 12_500}
    await hub.request("POST", "/api/payments", json=payment)

    hub.record("payment:acme:INV-1", "crediting")


async def record_undoing(hub: ManualHub, sandbox: Sandbox) -> None:
    hub.slow_activity("reverse_credit", timedelta(minutes=1))
    await sandbox.fault("postings", fail_next=1, status=403)
    payment = {"vendor": "acme", "number": "INV-1", "amount_cents": 12_500}
    await hub.request("POST", "/api/payments", json=payment)

    hub.record("payment:acme:INV-1", "undoing")
