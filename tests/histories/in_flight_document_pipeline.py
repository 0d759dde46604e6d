"""Document pipeline: a document that waits for a person."""

import pytest

from durablehost.testing import ManualHub
from sandbox.documents import write_invoice
from tests.outside import Sandbox
from tests.scanning import take_in


@pytest.mark.azurite
@pytest.mark.usefixtures("storage")
async def record_document_intake(hub: ManualHub, sandbox: Sandbox) -> None:
    document = await take_in(hub, write_invoice("acme", "INV-1 ?0.6", 125_000, order="PO-1001"))

    hub.record(document, "reviewing")
