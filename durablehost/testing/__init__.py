"""Test durable functions in memory, on a clock that the test moves. The only public import path.

async with ManualHub(app) as hub:
    approval = await hub.start("expense_approval", {"id": "e-1"})
    await hub.advance(timedelta(days=3))
    assert await hub.result(approval) == {"approved": False}
"""

from durablehost.app.loading import load_app
from durablehost.episodes.waited_for import Waits
from durablehost.errors import FunctionFailed
from durablehost.testing.app_under_test import ProblemsNoticed
from durablehost.testing.calls import Call
from durablehost.testing.faults import Fault, every_crash, every_fault
from durablehost.testing.http_stubs import HttpAnswer, HttpRequest, NotStubbed
from durablehost.testing.in_process import Answer
from durablehost.testing.instances import InstanceState, RuntimeStatus
from durablehost.testing.manual_hub import InstanceFailed, ManualHub
from durablehost.testing.manual_work import Crashed, Stuck
from durablehost.testing.recorded import Replayed, replay
from durablehost.testing.sync_hub import SyncHub

__all__ = [
    "Answer",
    "Call",
    "Crashed",
    "Fault",
    "FunctionFailed",
    "HttpAnswer",
    "HttpRequest",
    "InstanceFailed",
    "InstanceState",
    "ManualHub",
    "NotStubbed",
    "ProblemsNoticed",
    "Replayed",
    "RuntimeStatus",
    "Stuck",
    "SyncHub",
    "Waits",
    "every_crash",
    "every_fault",
    "load_app",
    "replay",
]
