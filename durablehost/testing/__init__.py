"""Test durable functions in memory, on a clock that the test moves. The only public import path.

async with ManualHub(app) as hub:
    approval = await hub.start("expense_approval", {"id": "e-1"})
    await hub.advance(timedelta(days=3))
    assert hub.output(approval) == {"approved": False}
"""

from durablehost.app.loading import load_app
from durablehost.testing.in_process import Answer
from durablehost.testing.manual_hub import ManualHub
from durablehost.testing.manual_work import Crashed, Stuck
from durablehost.testing.recorded import Replayed, replay
from durablehost.testing.stand_in import Call

__all__ = ["Answer", "Call", "Crashed", "ManualHub", "Replayed", "Stuck", "load_app", "replay"]
