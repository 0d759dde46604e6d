"""A vendor's month is closed once, over the sums of its postings, and takes no more."""

import pytest

INVOICE = {"kind": "invoice", "vendor": "acme", "amount_cents": 500, "day": "2026-10-05"}
CLOSING = {"month": "2026-10", "vendor": "acme", "invoice_cents": 500, "payment_cents": 0}


@pytest.fixture
def invoice(post):
    async def invoice(vendor="acme", number="1", **other):
        body = INVOICE | {"vendor": vendor, "number": number} | other
        return await post("/postings", body, f"{vendor}-{number}")

    return invoice


async def vendors(get, **query):
    status, answer = await get("/postings/vendors", **({"month": "2026-10"} | query))
    assert status == 200, answer
    return answer


async def test_vendors_with_postings_in_the_month_are_open_in_their_order(get, invoice):
    await invoice("globex")
    await invoice("acme")
    await invoice("initech", day="2026-09-30")

    assert await vendors(get) == {"vendors": ["acme", "globex"], "more": False, "closed": 0}


async def test_a_posting_without_a_day_is_of_today(get, invoice):
    await invoice(day=None)

    assert (await vendors(get, month="2026-11"))["vendors"] == ["acme"]


async def test_vendors_come_in_pages_and_ranges(get, invoice):
    for vendor in "abcde":
        await invoice(vendor)

    assert await vendors(get, top="2") == {"vendors": ["a", "b"], "more": True, "closed": 0}
    assert (await vendors(get, after="b", top="2"))["vendors"] == ["c", "d"]
    assert (await vendors(get, after="b", through="d"))["vendors"] == ["c", "d"]
    assert (await vendors(get, after="b", through="d"))["more"] is False


@pytest.mark.parametrize("top", ["0", "1001", "-1", "many"])
async def test_the_size_of_a_page_has_limits(get, top):
    status, answer = await get("/postings/vendors", month="2026-10", top=top)

    assert (status, answer["code"]) == (400, "bad_request")


async def test_a_closed_vendor_is_no_longer_open(post, get, invoice):
    await invoice("acme")
    await invoice("globex")

    first = await post("/postings/closings", CLOSING, "k1")

    assert first[0] == 201
    assert await post("/postings/closings", CLOSING, "k1") == first
    assert await vendors(get) == {"vendors": ["globex"], "more": False, "closed": 1}
    _, shown = await get("/postings/closings", month="2026-10")
    assert [closing["vendor"] for closing in shown["closings"]] == ["acme"]
    assert (await get("/postings/closings", month="2026-09"))[1] == {"closings": []}


async def test_a_month_cannot_be_closed_twice_under_two_keys(post, invoice):
    await invoice()
    await post("/postings/closings", CLOSING, "k1")

    status, answer = await post("/postings/closings", CLOSING, "k2")

    assert (status, answer["code"]) == (409, "already_closed")


async def test_a_closed_month_takes_no_more_postings_and_the_next_one_does(post, invoice):
    await invoice()
    await post("/postings/closings", CLOSING, "k1")

    status, answer = await invoice(number="2")

    assert (status, answer["code"]) == (409, "month_closed")
    assert (await invoice(number="2", day="2026-11-01"))[0] == 201


async def test_a_closing_is_refused_if_the_sums_have_changed(post, get, invoice):
    await invoice()
    await invoice(number="2")

    status, answer = await post("/postings/closings", CLOSING, "k1")

    assert (status, answer["code"]) == (409, "sums_changed")
    assert (await vendors(get))["vendors"] == ["acme"]


async def test_a_reversed_posting_does_not_count(post, invoice):
    await invoice()
    _, second = await invoice(number="2")
    await post(f"/postings/{second['id']}/reversal", key="back")

    assert (await post("/postings/closings", CLOSING, "k1"))[0] == 201


@pytest.mark.parametrize("change", [{"month": "2026-13"}, {"vendor": ""}, {"invoice_cents": -1}])
async def test_a_closing_of_nothing_is_refused(post, change):
    status, answer = await post("/postings/closings", CLOSING | change, "k1")

    assert (status, answer["code"]) == (400, "bad_request")
