"""The partners for exchange rates know some currencies, each its own, until today."""

from datetime import timedelta

import pytest


async def test_a_known_currency_has_a_rate(get):
    assert await get("/rates/USD") == (200, {"currency": "USD", "per_euro": 1.0842})


async def test_the_central_bank_publishes_rates_of_its_own(get):
    assert await get("/centralbank/USD") == (200, {"currency": "USD", "per_euro": 1.08})


@pytest.mark.parametrize(("party", "unknown"), [("rates", "NOK"), ("centralbank", "SEK")])
async def test_an_unknown_currency_is_404_and_names_the_known_ones(get, party, unknown):
    status, answer = await get(f"/{party}/{unknown}")

    assert (status, answer["code"]) == (404, "currency_unknown")
    assert "USD" in answer["message"]


async def test_today_has_rates_and_tomorrow_none(get, clock):
    today, tomorrow = clock.now().date(), clock.now().date() + timedelta(days=1)

    was, _ = await get("/rates/USD", date=today.isoformat())
    status, answer = await get("/rates/USD", date=tomorrow.isoformat())

    assert was == 200
    assert (status, answer["code"]) == (404, "no_rate_yet")


async def test_an_invalid_date_is_refused(get):
    status, answer = await get("/rates/USD", date="today")

    assert (status, answer["code"]) == (400, "bad_request")
