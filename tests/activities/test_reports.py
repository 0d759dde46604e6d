"""A month is collected from the books, and the months are one file that opens harmlessly."""

import csv
import io
from datetime import timedelta
from uuid import uuid4

import pytest

from activities import reports
from activities.blobs import RESULTS, Folder, blob_names, delete_blobs
from activities.reports import (
    Month,
    MonthOrder,
    ReportOrder,
    collect_report_month,
    read_report,
    write_report,
)
from durablehost.testing import ManualHub
from orchestration.failures import Failure
from tests.filing import Filed
from tests.outside import Sandbox

pytestmark = pytest.mark.azurite


async def post(sandbox: Sandbox, number: str, cents: int, vendor: str = "acme") -> str:
    posting = {"kind": "invoice", "vendor": vendor, "number": number, "amount_cents": cents}
    headers = {"Idempotency-Key": str(uuid4())}
    posted = await sandbox.send("POST", "/postings", posting, headers)
    return str(posted["id"])


async def collect(filed: Filed, month: int) -> Month:
    name = f"{filed.name}/{month:02}.csv"
    collected: Month = await collect_report_month(MonthOrder(year=2026, month=month, name=name))
    return collected


async def lines_of(filed: Filed, *months: Month) -> list[list[str]]:
    """The lines of the report on these months."""
    order = ReportOrder(months=[month["blob"] for month in months], name=f"{filed.name}/all.csv")
    content = await read_report(await write_report(order))
    await delete_blobs(Folder(container=RESULTS, prefix=f"{filed.name}/"))
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


async def test_the_months_hold_what_was_posted_in_them(
    hub: ManualHub, filed: Filed, sandbox: Sandbox
) -> None:
    await post(sandbox, "INV-1", 500)
    await post(sandbox, "INV-2", 600)
    await hub.advance(timedelta(days=40))
    await post(sandbox, "INV-3", 700)

    january, february = await collect(filed, 1), await collect(filed, 2)
    header, *lines = await lines_of(filed, january, february)

    assert (january["lines"], january["totals"]) == (2, {"invoice": 1100})
    assert (february["lines"], february["totals"]) == (1, {"invoice": 700})
    assert header == ["time", "id", "kind", "vendor", "number", "amount_cents", "reversed"]
    assert [line[4:] for line in lines] == [
        ["INV-1", "500", "false"],
        ["INV-2", "600", "false"],
        ["INV-3", "700", "false"],
    ]


async def test_a_reversed_posting_is_listed_but_not_in_a_total(
    hub: ManualHub, filed: Filed, sandbox: Sandbox
) -> None:
    posting = await post(sandbox, "INV-1", 500)
    await sandbox.send("POST", f"/postings/{posting}/reversal", {}, {"Idempotency-Key": "reversal"})

    month = await collect(filed, 1)

    assert (month["lines"], month["totals"]) == (1, {})
    assert (await lines_of(filed, month))[1][-1] == "true"


async def test_a_month_without_postings_is_empty(filed: Filed) -> None:
    month = await collect(filed, 7)

    assert (month["lines"], month["totals"], month["blob"]["bytes"]) == (0, {}, 0)
    assert len(await lines_of(filed, month)) == 1


async def test_no_cell_is_a_formula_or_breaks_its_line(filed: Filed, sandbox: Sandbox) -> None:
    await post(sandbox, '=HYPERLINK("http://x","y")', 500, vendor='a,"b"\nc')

    [_, line] = await lines_of(filed, await collect(filed, 1))

    assert line[3:5] == ['a,"b"\nc', '\'=HYPERLINK("http://x","y")']


async def test_a_report_over_the_limit_is_not_written(
    filed: Filed, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await post(sandbox, "INV-1", 500)
    months = [(await collect(filed, 1))["blob"]] * 2
    monkeypatch.setattr(reports, "MAX_REPORT_BYTES", months[0]["bytes"] + 60)

    with pytest.raises(Failure, match="report_too_large"):
        await write_report(ReportOrder(months=months, name=f"{filed.name}/all.csv"))

    assert f"{filed.name}/all.csv" not in await blob_names(RESULTS, f"{filed.name}/", 9)
    await delete_blobs(Folder(container=RESULTS, prefix=f"{filed.name}/"))


async def test_the_books_are_asked_for_one_month(filed: Filed, sandbox: Sandbox) -> None:
    await sandbox.fault("postings", about="posted=2026-02", fail_next=1)

    with pytest.raises(Failure, match="postings_unavailable"):
        await collect(filed, 2)


async def test_a_posting_is_retried_while_the_books_are_closed(
    filed: Filed, sandbox: Sandbox
) -> None:
    await sandbox.fault("postings", fail_next=1)

    with pytest.raises(Failure) as raised:
        await collect(filed, 1)

    assert (raised.value.code, raised.value.retriable) == ("postings_unavailable", True)
