"""Ten thousand files of invoices, summarised."""

import asyncio
import json
import os
from datetime import timedelta
from typing import Any, Final

import pytest

from activities.blobs import RESULTS, blob_names, read_blob
from activities.invoice_files import FILES_A_PAGE
from activities.summaries import NAMED_FAILURES
from durablehost.testing import ManualHub
from sandbox.documents import write_invoice
from tests.filing import Cabinet, Filed
from tests.outside import Sandbox

FILES: Final = 10_000
ID: Final = "batch:all"
# With `CASE_FILES=10000` the test takes a minute and a half on two cores. Most of that is CPU time
# of the storage client.
REAL_FILES: Final = int(os.environ.get("CASE_FILES", "150"))


@pytest.fixture
async def batch(hub: ManualHub, cabinet: Cabinet) -> dict[str, Any]:
    """The output of a batch of ten thousand files. The reader takes three seconds for each."""
    cabinet.fill(FILES - 3)
    cabinet.files |= dict.fromkeys(("coffee-1.pdf", "coffee-2.pdf", "coffee-3.pdf"), 1)
    cabinet.files_a_page = FILES_A_PAGE
    cabinet.serve(hub)
    hub.slow_activity("read_invoice_file", timedelta(seconds=3))
    order = {"name": "all", "prefix": "", "settings": {"at_once": 20}}
    await hub.start("invoice_batch", order, instance_id=ID)
    await hub.run_until_ended(ID)
    output: dict[str, Any] = hub.output(ID)
    return output


async def test_ten_thousand_files_of_three_seconds_take_twenty_five_minutes(
    hub: ManualHub, cabinet: Cabinet, batch: dict[str, Any]
) -> None:
    cents = sum(cabinet.files[name] for name in cabinet.files if "coffee" not in name)
    coffee = [failure["file"] for failure in batch["failures"]]
    took = hub.instance(ID).updated - hub.instance(ID).created
    histories = [len(hub.history(lane.id)) for lane in hub.instances() if lane.id != ID]
    read = [call.input["file"] for call in hub.calls("read_invoice_file")]

    assert (batch["files"], batch["read"], batch["failed"]) == (FILES, FILES - 3, 3)
    assert batch["totals"] == {"EUR": cents}
    assert coffee == ["coffee-1.pdf", "coffee-2.pdf", "coffee-3.pdf"]
    assert sorted(read) == sorted(cabinet.files)
    assert took == timedelta(minutes=25)
    assert (len(histories), len(json.dumps(batch)) < 1000) == (4, True)
    assert max(*histories, len(hub.history(ID))) < 350
    assert list(cabinet.results) == [f"{ID}/summary.json"]


@pytest.mark.azurite
async def test_files_in_a_storage_are_read_one_by_one_into_one_summary(
    hub: ManualHub, filed: Filed, sandbox: Sandbox
) -> None:
    numbers = iter(range(REAL_FILES))

    async def put_some() -> None:
        for number in numbers:
            legible = write_invoice("acme", f"INV-{number}", 100 + number)
            content = b"%PDF-1.7\n\xff\xfe coffee" if number % 100 == 7 else legible
            await filed.put({f"{number:05}.pdf": content})

    await asyncio.gather(*[put_some() for _ in range(20)])
    order = {"name": filed.name, "prefix": filed.prefix}
    started = (await hub.request("POST", "/api/batches", json=order)).json()
    await hub.run_until_ended(started["id"])

    output = hub.output(started["id"])
    unread = range(7, REAL_FILES, 100)
    name = f"{started['id']}/summary.json"
    summary = json.loads(await read_blob(RESULTS, name, 2**24))
    assert (output["read"], output["failed"]) == (REAL_FILES - len(unread), len(unread))
    assert output["totals"]["EUR"] == sum(
        100 + number for number in range(REAL_FILES) if number not in unread
    )
    assert len(summary["invoices"]) == output["read"]
    assert output["failures"] == summary["failures"][:NAMED_FAILURES]
    assert await blob_names(RESULTS, f"{started['id']}/", 10) == [name]
