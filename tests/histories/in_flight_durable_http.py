"""Durable HTTP: a check that waits to ask the tax office for its answer again."""

from datetime import timedelta

from durablehost.testing import ManualHub
from tests.outside import Sandbox


async def record_tax_check(hub: ManualHub, sandbox: Sandbox) -> None:
    await sandbox.put("/tax/office", retry_after=30)
    body = {"vat_id": "DE123456789", "day": "2026-01-01"}
    await hub.request("POST", "/api/tax-checks", json=body)
    await hub.advance(timedelta(seconds=31))

    hub.record("tax-check:DE123456789:2026-01-01", "polling")
