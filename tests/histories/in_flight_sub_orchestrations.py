"""Sub-orchestrations: a close of two lanes, each of which waits for its second vendor."""

from datetime import timedelta

from durablehost.testing import ManualHub
from tests.closing import ID, Ledger, start


async def start_close(hub: ManualHub) -> None:
    Ledger(4).serve(hub)
    hub.slow_activity("reconcile_vendor_month", timedelta(seconds=3))
    await start(hub, lanes=2)
    await hub.advance(timedelta(seconds=4))


async def record_month_end_close(hub: ManualHub) -> None:
    await start_close(hub)

    hub.record(ID, "closing")


async def record_month_end_lane(hub: ManualHub) -> None:
    await start_close(hub)
    [lane, _] = [each for each in hub.instances(ID) if each.name == "month_end_lane"]

    hub.record(lane.id, "closing")


async def record_month_end_vendor(hub: ManualHub) -> None:
    await start_close(hub)
    [vendor, _] = [
        each for each in hub.instances(ID) if each.name == "month_end_vendor" and not each.ended
    ]

    hub.record(vendor.id, "reconciling")
