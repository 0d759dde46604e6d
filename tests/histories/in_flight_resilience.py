"""Resilience: a search whose first partner failed and whose second one does not answer yet."""

from datetime import timedelta

from durablehost.testing import ManualHub
from tests.outside import Sandbox

ID = "rates:2026-01-01:GBP-USD"


async def ask_and_wait(hub: ManualHub, sandbox: Sandbox) -> None:
    await sandbox.fault("rates", fail_next=10)
    await sandbox.fault("centralbank", fail_next=10)
    body = {"date": "2026-01-01", "currencies": ["USD", "GBP"]}
    await hub.request("POST", "/api/rates", json=body)


async def record_exchange_rates(hub: ManualHub, sandbox: Sandbox) -> None:
    await ask_and_wait(hub, sandbox)

    hub.record(ID, "asking")


async def record_currency_rate(hub: ManualHub, sandbox: Sandbox) -> None:
    await ask_and_wait(hub, sandbox)
    hub.slow_activity("ask_for_rate", timedelta(minutes=1))
    await hub.advance(timedelta(seconds=3))

    [child] = hub.instances(f"{ID}:GBP")
    hub.record(child.id, "asking-again")
