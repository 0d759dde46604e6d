"""Monitor: a watch that has looked twice and waits for the third look."""

from datetime import timedelta

from durablehost.testing import ManualHub
from tests.outside import Sandbox


async def record_settlement_watch(hub: ManualHub, sandbox: Sandbox) -> None:
    order = {"giver": "operating", "taker": "vendor:acme", "amount_cents": 500, "payment": "PAY-1"}
    await sandbox.send("POST", "/bank/transfers", order, {"Idempotency-Key": "PAY-1:send"})
    await hub.request("POST", "/api/settlements", json={"transfer": "transfer-1"})
    await hub.advance(timedelta(seconds=3))

    hub.record("settlement:transfer-1", "waiting")
