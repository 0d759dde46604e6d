"""Aggregator: a ranking, one of its pages, and a message whose event could not be recorded."""

import azure.functions as func
import pytest

from durablehost.testing import Crashed, ManualHub
from tests.histories.conftest import Keep
from tests.outside import Sandbox


async def record_vendor_ranking(hub: ManualHub, keep: Keep) -> None:
    hub.crash_after(4)  # the start, the parent and one child are committed
    with pytest.raises(Crashed):
        await hub.request("POST", "/api/rankings", json={"name": "now", "top": 3})
    hub.crash()

    keep("ranking:now", "ranking")
    [page, *_] = [each.id for each in hub.instances("ranking:now:page") if each.status == "Running"]
    keep(page, "listing")


async def record_poisoned_event(hub: ManualHub, sandbox: Sandbox, keep: Keep) -> None:
    await hub.fire("start_poisoned_event", func.QueueMessage(id="message-1", body=b"no json"))

    [instance] = hub.instances("poison:")
    keep(instance.id, "retrying")
