"""A summary has all that was found in its parts; the answer names some failures only."""

import json
from uuid import uuid4

import pytest

from activities import summaries
from activities.blobs import RESULTS, Folder, delete_blobs, read_blob
from activities.invoice_files import InvoiceFile
from activities.summaries import (
    NAMED_FAILURES,
    Counts,
    FailedFile,
    Part,
    SummaryOrder,
    write_batch_part,
    write_batch_summary,
)
from tests.filing import Filed

pytestmark = pytest.mark.azurite

COUNTS = Counts(read=2, failed=160, totals={"EUR": 3})


def an_invoice(number: int) -> InvoiceFile:
    return InvoiceFile(
        file=f"{number}.pdf",
        vendor="acme",
        number=str(number),
        amount_cents=number,
        currency="EUR",
        confidence=0.98,
    )


async def test_a_summary_joins_its_parts_and_names_the_first_failures(filed: Filed) -> None:
    for number in (1, 2):
        failures = [
            FailedFile(file=f"{number}-{n}", code="unreadable", message="no") for n in range(80)
        ]
        name = f"{filed.name}/part-{number}"
        await write_batch_part(Part(name=name, invoices=[an_invoice(number)], failures=failures))
    name = f"{filed.name}/summary.json"
    order = SummaryOrder(name=name, prefix="p/", counts=COUNTS, parts=f"{filed.name}/part-")

    summary = await write_batch_summary(order)

    kept = json.loads(await read_blob(RESULTS, summary["blob"]["name"], 2**20))
    assert kept["invoices"] == [an_invoice(1), an_invoice(2)]
    assert [failure["file"] for failure in kept["failures"]] == [
        f"{number}-{n}" for number in (1, 2) for n in range(80)
    ]
    assert (kept["prefix"], kept["read"], kept["failed"], kept["totals"]) == (
        "p/",
        2,
        160,
        {"EUR": 3},
    )
    assert summary["failures"] == kept["failures"][:NAMED_FAILURES]
    await delete_blobs(Folder(container=RESULTS, prefix=f"{filed.name}/"))


async def test_a_summary_of_no_files_is_written(
    filed: Filed, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = f"c{uuid4().hex}"
    monkeypatch.setattr(summaries, "RESULTS", container)
    nothing = Counts(read=0, failed=0, totals={})
    order = SummaryOrder(name="summary.json", prefix="p/", counts=nothing, parts="part-")

    summary = await write_batch_summary(order)

    kept = json.loads(await read_blob(container, summary["blob"]["name"], 2**20))
    assert (kept["read"], kept["invoices"], summary["failures"]) == (0, [], [])
