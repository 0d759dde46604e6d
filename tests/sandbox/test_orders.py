"""Orders can be looked up; a document is posted once until it is taken back."""

import pytest

POSTING = {"kind": "invoice", "vendor": "acme", "number": "INV-1", "amount_cents": 125_000}


async def test_the_orders_of_the_first_moment_are_there(get):
    assert await get("/orders/PO-1001") == (
        200,
        {
            "number": "PO-1001",
            "vendor": "acme",
            "amount_cents": 125_000,
            "currency": "EUR",
            "open": True,
        },
    )
    assert (await get("/orders/PO-1020"))[0] == 200
    assert (await get("/orders/PO-1021"))[1]["code"] == "order_unknown"


async def test_an_order_is_what_was_written_last(put, get):
    await put("/orders/PO-7", {"vendor": "acme", "amount_cents": 1})
    await put("/orders/PO-7", {"vendor": "acme", "amount_cents": 2, "open": False})

    _, order = await get("/orders/PO-7")

    assert (order["amount_cents"], order["open"]) == (2, False)


async def test_one_idempotency_key_makes_one_posting(post, get):
    first = await post("/postings", POSTING, "k1")

    assert first[0] == 201
    assert await post("/postings", POSTING, "k1") == first
    assert len((await get("/postings"))[1]["postings"]) == 1


async def test_a_document_cannot_be_posted_twice_under_two_keys(post):
    await post("/postings", POSTING, "k1")

    status, answer = await post("/postings", POSTING | {"amount_cents": 5}, "k2")

    assert (status, answer["code"]) == (409, "already_posted")


@pytest.mark.parametrize("change", [{"kind": "payment"}, {"vendor": "globex"}, {"number": "INV-2"}])
async def test_another_document_is_posted_beside_it(post, get, change):
    await post("/postings", POSTING, "k1")
    await post("/postings", POSTING | change, "k2")

    assert len((await get("/postings"))[1]["postings"]) == 2
    name, value = next(iter(change.items()))
    assert [p["key"] for p in (await get("/postings", **{name: value}))[1]["postings"]] == ["k2"]


async def test_postings_are_listed_by_the_month_in_which_they_were_posted(post, get):
    _, posting = await post("/postings", POSTING | {"day": "2001-02-03"}, "k1")
    month = posting["time"][:7]

    assert (await get("/postings", posted=month))[1]["postings"] == [posting | {"reversed": False}]
    assert (await get("/postings", posted="2001-02"))[1]["postings"] == []


async def test_a_posting_taken_back_makes_room_for_another(post, get):
    _, posting = await post("/postings", POSTING, "k1")
    path = f"/postings/{posting['id']}/reversal"

    first = await post(path, key="k2")
    assert await post(path, key="k2") == first
    assert (await post(path, key="k3"))[1]["code"] == "already_reversed"

    assert (await post("/postings", POSTING, "k4"))[0] == 201
    _, seen = await get("/postings")
    assert [posting["reversed"] for posting in seen["postings"]] == [True, False]


async def test_a_posting_that_does_not_exist_cannot_be_reversed(post):
    assert (await post("/postings/posting-1/reversal", key="k1"))[1]["code"] == "posting_unknown"


async def test_a_posting_is_reversed_once_by_its_key(post, get):
    await post("/postings", POSTING, "k1")

    for _ in range(2):
        status, answer = await post("/postings/reversal", {"key": "k1"})

    assert (status, answer["posting"]["reversed"]) == (200, True)
    assert (await post("/postings", POSTING, "k2"))[0] == 201


async def test_a_posting_that_was_reversed_before_is_never_made(post, get):
    assert await post("/postings/reversal", {"key": "k1"}) == (200, {"posting": None})

    assert (await post("/postings", POSTING, "k1"))[1]["code"] == "key_reversed"
    assert (await get("/postings"))[1]["postings"] == []
