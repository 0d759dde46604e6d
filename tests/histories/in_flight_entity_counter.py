"""Entity: a document whose number is being drawn."""

import pytest

from durablehost.testing import Crashed, ManualHub


async def record_document_number(hub: ManualHub) -> None:
    hub.crash_after(3)  # the start and the call are committed, and the entity's answer is not
    with pytest.raises(Crashed):
        await hub.request("POST", "/api/numbers/invoices-2026", json={"document": "INV-1"})
    hub.crash()

    hub.record("number:invoices-2026:INV-1", "drawing")
