"""Aggregator: a ranking, one of its pages, and a message whose event could not be recorded."""

import azure.functions as func
import pytest

from durablehost.testing import Crashed, ManualHub
from tests.outside import Sandbox


async def record_vendor_ranking(hub: ManualHub) -> None:
    hub.crash_after(4)  # the start, the parent and one child are committed
    with pytest.raises(Crashed):
        await hub.request("POST", "/api/rankings", json={"name": "now", "top": 3})
    hub.crash()

    hub.record("ranking:now", "ranking")
    [page, *_] = [each.id for each in hub.instances("ranking:now:page") if each.status == "Running"]
    hub.record(page, "listing")


async def record_poisoned_event(hub: ManualHub, sandbox: Sandbox) -> None:
    await hub.fire("start_poisoned_event", func.QueueMessage(id="message-1", body=b"no json"))

    [instance] = hub.instances("poison:")
    hub.record(instance.id, "retrying")
