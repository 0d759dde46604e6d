"""Versioning; the histories of 1.0 and of `trusted_delivery` stay as the code of then made them."""

from durablehost.testing import ManualHub
from tests.outside import Sandbox

INVOICE = {
    "vendor": "acme",
    "number": "INV-1",
    "order": "PO-1001",
    "amount_cents": 12_500,
    "currency": "EUR",
}


async def record_delivery_intake(hub: ManualHub, sandbox: Sandbox) -> None:
    await hub.request("POST", "/api/deliveries", json=INVOICE)

    hub.record("delivery:acme:INV-1", "2.0-waiting")
