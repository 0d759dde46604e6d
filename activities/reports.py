"""The yearly report: the postings of each month, in one file."""

import csv
import io
from collections import Counter
from typing import Any, Final, TypedDict

import azure.durable_functions as df

from activities import limits
from activities.blobs import RESULTS, BlobRef, read_blob, write_blob
from activities.outside import ask
from orchestration.failures import Failure

MAX_REPORT_BYTES: Final = limits.REPORT_BYTES.most

_COLUMNS: Final = ("time", "id", "kind", "vendor", "number", "amount_cents", "reversed")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would execute the cell

bp = df.Blueprint()


class MonthOrder(TypedDict):
    """The month to collect, and the name of its blob."""

    year: int
    month: int
    name: str


class Month(TypedDict):
    """The postings of a month: their totals, and the blob that contains them."""

    blob: BlobRef
    lines: int
    totals: dict[str, int]


class ReportOrder(TypedDict):
    """The months to join, and the name of the blob of the report."""

    months: list[BlobRef]
    name: str


@bp.activity_trigger(input_name="order")
async def collect_report_month(order: MonthOrder) -> Month:
    """Write the postings of a month to a blob. Running twice overwrites the blob."""
    month = f"{order['year']:04}-{order['month']:02}"
    answer = await ask("postings", "GET", query={"posted": month})
    found: list[dict[str, Any]] = answer["postings"]
    totals: Counter[str] = Counter()
    for posting in found:
        if not posting["reversed"]:
            totals[posting["kind"]] += posting["amount_cents"]
    rows = [[_plain(posting[column]) for column in _COLUMNS] for posting in found]
    blob = await write_blob(RESULTS, order["name"], _csv(rows), "text/csv")
    return Month(blob=blob, lines=len(rows), totals=dict(totals))


@bp.activity_trigger(input_name="order")
async def write_report(order: ReportOrder) -> BlobRef:
    """Join the months into one file. Running twice overwrites the file."""
    content = _csv([list(_COLUMNS)])
    for month in order["months"]:
        content += await read_blob(month["container"], month["name"], MAX_REPORT_BYTES)
        if len(content) > MAX_REPORT_BYTES:
            message = f"the report has over {MAX_REPORT_BYTES} bytes"
            raise Failure("report_too_large", message)
    return await write_blob(RESULTS, order["name"], content, "text/csv")


async def read_report(report: BlobRef) -> bytes:
    """Return the file of a report. Raises Failure `unknown_blob` if it was deleted."""
    return await read_blob(report["container"], report["name"], MAX_REPORT_BYTES)


def _csv(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _plain(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
