"""Open vendors are divided evenly, and closed if the bank agrees with their sums."""

import pytest

from activities.month_ends import (
    DivideOrder,
    MonthClosing,
    Share,
    Sums,
    VendorMonth,
    VendorQuery,
    Vendors,
    close_vendor_month,
    divide_vendors,
    list_open_vendors,
    reconcile_vendor_month,
    shares_of,
)
from orchestration.failures import Failure
from tests.closing import MONTH, Books
from tests.outside import Sandbox


@pytest.fixture
def books(sandbox: Sandbox) -> Books:
    return Books(sandbox)


def month_of(vendor: str, tolerance_cents: int = 0) -> VendorMonth:
    return VendorMonth(month=MONTH, vendor=vendor, tolerance_cents=tolerance_cents)


@pytest.mark.parametrize(("vendors", "lanes"), [(1, 5), (5, 5), (17, 5), (5000, 50), (3, 1)])
def test_every_vendor_is_in_one_share_and_shares_differ_by_one_at_most(
    vendors: int, lanes: int
) -> None:
    names = [f"{number:04}" for number in range(vendors)]

    shares = shares_of(names, lanes)

    held = [
        [name for name in names if share["after"] < name <= share["through"]] for share in shares
    ]
    assert [name for each in held for name in each] == names
    assert [len(each) for each in held] == [share["vendors"] for share in shares]
    assert max(map(len, held)) - min(map(len, held)) <= 1
    assert len(shares) == min(vendors, lanes)


def test_no_vendors_make_no_share() -> None:
    assert shares_of([], 5) == []


async def test_closed_vendors_are_counted_and_in_no_share(books: Books) -> None:
    for vendor in ("acme", "globex", "initech"):
        await books.post(vendor)
    await close_vendor_month(
        MonthClosing(month=MONTH, vendor="acme", invoice_cents=500, payment_cents=0)
    )

    divided = await divide_vendors(DivideOrder(month=MONTH, lanes=1))

    assert divided == {
        "shares": [Share(after="", through="initech", vendors=2)],
        "closed_before": 1,
    }


async def test_too_many_vendors_are_refused(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    for vendor in ("acme", "globex", "initech"):
        await books.post(vendor)
    monkeypatch.setattr("activities.month_ends.MAX_VENDORS", 2)

    with pytest.raises(Failure) as caught:
        await divide_vendors(DivideOrder(month=MONTH, lanes=1))

    assert caught.value.code == "too_many_vendors"


async def test_vendors_of_every_page_of_the_books_are_divided(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    for vendor in "abcde":
        await books.post(vendor)
    monkeypatch.setattr("activities.month_ends._VENDORS_A_PAGE", 2)

    divided = await divide_vendors(DivideOrder(month=MONTH, lanes=2))

    assert [share["vendors"] for share in divided["shares"]] == [2, 3]


async def test_a_share_is_listed_in_pages(books: Books) -> None:
    for vendor in "abcd":
        await books.post(vendor)
    query = VendorQuery(month=MONTH, after="a", through="c", top=1)

    assert await list_open_vendors(query) == Vendors(names=["b"], more=True)
    query["after"] = "b"
    assert await list_open_vendors(query) == Vendors(names=["c"], more=False)


async def test_a_vendor_agrees_if_the_bank_paid_what_is_posted(books: Books) -> None:
    await books.post("acme", 800)
    await books.post("acme", 300, kind="payment")
    await books.pay("acme", 300)

    assert await reconcile_vendor_month(month_of("acme")) == Sums(
        invoice_cents=800, payment_cents=300
    )


@pytest.mark.parametrize(("posted", "paid"), [(300, 299), (299, 300)])
async def test_a_vendor_does_not_agree_if_the_bank_paid_more_or_less(
    books: Books, posted: int, paid: int
) -> None:
    await books.post("acme", posted, kind="payment")
    await books.pay("acme", paid)

    with pytest.raises(Failure) as caught:
        await reconcile_vendor_month(month_of("acme"))

    assert (caught.value.code, caught.value.retriable) == ("not_reconciled", False)
    assert await reconcile_vendor_month(month_of("acme", tolerance_cents=1))


async def test_a_reversed_payment_does_not_count_as_paid(sandbox: Sandbox, books: Books) -> None:
    await books.post("acme", 500)
    await books.pay("acme", 300)
    ledger = await sandbox.get("/bank/ledger?account=vendor:acme")
    [credit] = [entry["id"] for entry in ledger["entries"]]
    key = {"Idempotency-Key": "back"}
    await sandbox.send("POST", f"/bank/credits/{credit}/reversal", {}, key)

    assert await reconcile_vendor_month(month_of("acme")) == Sums(
        invoice_cents=500, payment_cents=0
    )


async def test_running_twice_closes_once(books: Books) -> None:
    await books.post("acme", 500)
    order = MonthClosing(month=MONTH, vendor="acme", invoice_cents=500, payment_cents=0)

    assert await close_vendor_month(order) == await close_vendor_month(order)
    assert await books.closed() == ["acme"]
