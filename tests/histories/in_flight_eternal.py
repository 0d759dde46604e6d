"""Eternal: a sweep in its second generation, which has received a new interval and waits."""

from datetime import timedelta

from durablehost.testing import ManualHub
from tests.outside import Sandbox


async def record_ledger_sweep(hub: ManualHub, sandbox: Sandbox) -> None:
    await hub.request("POST", "/api/sweeps", json={"every_minutes": 15})
    await hub.advance(timedelta(minutes=1))
    await hub.raise_event("sweep:ledger", "IntervalChanged", {"every_minutes": 30})
    await hub.advance(timedelta(minutes=1))

    hub.record("sweep:ledger", "interval-changed")
