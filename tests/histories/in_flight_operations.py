"""Operations: the termination of a tree, which looks again whether anything is left."""

from datetime import timedelta

from durablehost.testing import ManualHub
from tests.closing import Ledger, cancel, start


async def record_tree_termination(hub: ManualHub) -> None:
    Ledger(4).serve(hub)
    hub.slow_activity("reconcile_vendor_month", timedelta(minutes=1))
    await start(hub, lanes=2)
    await cancel(hub)

    [termination] = hub.instances("termination:")
    hub.record(termination.id, "looking-again")
