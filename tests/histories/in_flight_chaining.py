"""Chaining: an intake whose first attempt to post has failed."""

from datetime import timedelta

from durablehost.testing import ManualHub
from tests.outside import Sandbox

INVOICE = {"vendor": "acme", "number": "INV-1", "order": "PO-1001", "amount_cents": 12_500}


async def record_invoice_intake(hub: ManualHub, sandbox: Sandbox) -> None:
    await sandbox.fault("postings", fail_next=1)
    hub.slow_activity("post_invoice", timedelta(seconds=1))
    await hub.request("POST", "/api/invoices", json=INVOICE)
    await hub.advance(timedelta(seconds=6))

    hub.record("intake:acme:INV-1", "posting-again")
