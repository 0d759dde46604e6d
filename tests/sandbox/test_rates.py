"""The partner for exchange rates knows some currencies."""


async def test_a_known_currency_has_a_rate(get):
    assert await get("/rates/USD") == (200, {"currency": "USD", "per_euro": 1.0842})


async def test_an_unknown_currency_is_404_and_names_the_known_ones(get):
    status, answer = await get("/rates/XYZ")

    assert (status, answer["code"]) == (404, "currency_unknown")
    assert "USD" in answer["message"]
