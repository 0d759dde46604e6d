"""Month ends in the books: list the open vendors, compare the sums with the bank, and close."""

from typing import Any, Final, TypedDict

import azure.durable_functions as df

from activities import limits
from activities.outside import ask
from orchestration.failures import Failure

MAX_VENDORS: Final = limits.MONTH_VENDORS.most

_VENDORS_A_PAGE: Final = 1_000

bp = df.Blueprint()


class DivideOrder(TypedDict):
    """The month whose open vendors are divided, and the number of lanes."""

    month: str
    lanes: int


class Share(TypedDict):
    """The vendors of one lane: those after one name, up to and including another."""

    after: str
    through: str
    vendors: int


class Shares(TypedDict):
    """The share of each lane, and how many vendors of the month are closed already."""

    shares: list[Share]
    closed_before: int


class VendorQuery(TypedDict):
    """Which open vendors of a month to list, and how many at most."""

    month: str
    after: str
    through: str
    top: int


class Vendors(TypedDict):
    """Vendors in the order of their names, and whether there are more."""

    names: list[str]
    more: bool


class VendorMonth(TypedDict):
    """A month of a vendor, and by how many cents books and bank may differ."""

    month: str
    vendor: str
    tolerance_cents: int


class Sums(TypedDict):
    """The sums of a vendor's postings of a month."""

    invoice_cents: int
    payment_cents: int


class MonthClosing(Sums):
    """A month of a vendor to close, with its sums."""

    month: str
    vendor: str


@bp.activity_trigger(input_name="order")
async def divide_vendors(order: DivideOrder) -> Shares:
    """Divide the open vendors of a month among lanes. Reads only, so it may run twice."""
    names: list[str] = []
    while True:
        after = names[-1] if names else ""
        page = await _open_vendors(order["month"], after, "", _VENDORS_A_PAGE)
        names += page["vendors"]
        if len(names) > MAX_VENDORS:
            message = f"{order['month']} has over {MAX_VENDORS} vendors: close it in parts"
            raise Failure("too_many_vendors", message)
        if not page["more"]:
            break
    return Shares(shares=shares_of(names, order["lanes"]), closed_before=page["closed"])


@bp.activity_trigger(input_name="query")
async def list_open_vendors(query: VendorQuery) -> Vendors:
    """List open vendors of a month. Reads only, so it may run twice."""
    page = await _open_vendors(query["month"], query["after"], query["through"], query["top"])
    return Vendors(names=page["vendors"], more=page["more"])


@bp.activity_trigger(input_name="order")
async def reconcile_vendor_month(order: VendorMonth) -> Sums:
    """Sum up a vendor's month, and fail if the bank paid another amount. Reads only."""
    month, vendor = order["month"], order["vendor"]
    found = await ask("postings", "GET", query={"vendor": vendor})
    postings = [each for each in found["postings"] if each["day"][:7] == month]
    ledger = await ask("bank", "GET", "/ledger", query={"account": f"vendor:{vendor}"})
    credited = sum(
        entry["amount_cents"]
        for entry in ledger["entries"]
        if entry["kind"] == "credit" and entry["time"][:7] == month and not entry["reversed_by"]
    )
    sums = Sums(invoice_cents=_sum(postings, "invoice"), payment_cents=_sum(postings, "payment"))
    if abs(sums["payment_cents"] - credited) > order["tolerance_cents"]:
        posted = f"{sums['payment_cents']} cents are posted as paid to {vendor} in {month}"
        raise Failure("not_reconciled", f"{posted}, and the bank paid {credited}: find out why")
    return sums


@bp.activity_trigger(input_name="order")
async def close_vendor_month(order: MonthClosing) -> str:
    """Close a vendor's month and return the closing's id. The books do it once for each key."""
    key = f"closing:{order['month']}:{order['vendor']}"
    closing = await ask("postings", "POST", "/closings", json=order, key=key)
    return str(closing["id"])


async def _open_vendors(month: str, after: str, through: str, top: int) -> Any:
    query = {"month": month, "after": after, "through": through, "top": str(top)}
    return await ask("postings", "GET", "/vendors", query=query)


def shares_of(names: list[str], lanes: int) -> list[Share]:
    """Divide names among lanes, in shares of about the same size."""
    lanes = min(lanes, len(names))
    ends = [len(names) * lane // lanes for lane in range(lanes + 1)] if lanes else []
    return [
        Share(after=names[start - 1] if start else "", through=names[end - 1], vendors=end - start)
        for start, end in zip(ends, ends[1:], strict=False)
    ]


def _sum(postings: list[dict[str, Any]], kind: str) -> int:
    return sum(
        each["amount_cents"] for each in postings if each["kind"] == kind and not each["reversed"]
    )
