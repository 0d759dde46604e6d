"""Fan-out: a batch of two lanes, of which each waits for its second window of files."""

from datetime import timedelta

from durablehost.testing import ManualHub
from tests.filing import Cabinet

ID = "batch:november"


async def start(hub: ManualHub, cabinet: Cabinet) -> None:
    cabinet.fill(6)
    cabinet.serve(hub)
    hub.slow_activity("read_invoice_file", timedelta(seconds=3))
    batch = {"name": "november", "prefix": "", "settings": {"at_once": 2}}
    await hub.start("invoice_batch", batch, instance_id=ID)
    await hub.advance(timedelta(seconds=4))


async def record_invoice_batch(hub: ManualHub, cabinet: Cabinet) -> None:
    await start(hub, cabinet)

    hub.record(ID, "reading")


async def record_batch_lane(hub: ManualHub, cabinet: Cabinet) -> None:
    await start(hub, cabinet)

    hub.record(hub.instances(f"{ID}:lane")[0].id, "reading")
