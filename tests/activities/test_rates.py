"""A partner's rate is a number that can be reckoned with, or a failure that says what to do."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer as Server

from activities import outside
from activities.rates import PartnerOrder, ask_for_rate
from orchestration.failures import Failure
from tests.outside import Sandbox

USD = PartnerOrder(currency="USD", date="2026-01-01", partner="rates")


@pytest.fixture
async def said(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Any]]:
    """What a dealer says next, who may say anything; and what it was asked before."""
    words: list[Any] = []

    async def answer(request: web.Request) -> web.Response:
        asked, word = str(request.rel_url), words.pop()
        words.append(asked)
        return web.Response(text=json.dumps(word), content_type="application/json")

    app = web.Application()
    app.router.add_get("/{currency}", answer)
    async with Server(app) as server:
        monkeypatch.setenv("RATES_URL", str(server.make_url("/")))
        yield words
        await outside.close()


async def test_each_partner_has_its_own_rates(sandbox: Sandbox) -> None:
    dealt = await ask_for_rate(USD)
    published = await ask_for_rate(PartnerOrder(**{**USD, "partner": "centralbank"}))

    assert dealt == {"currency": "USD", "per_euro": 1.0842, "partner": "rates"}
    assert published == {"currency": "USD", "per_euro": 1.08, "partner": "centralbank"}


async def test_the_rate_is_that_of_the_day(said: list[Any]) -> None:
    said.append({"per_euro": 2})

    assert (await ask_for_rate(USD))["per_euro"] == 2
    assert said == ["/USD?date=2026-01-01"]


@pytest.mark.parametrize(
    "words",
    [{}, [], None, "1.08", {"per_euro": "1.08"}, {"per_euro": 0}, {"per_euro": -1}]
    + [{"per_euro": True}, {"per_euro": float("nan")}, {"per_euro": float("inf")}],
)
async def test_an_answer_without_a_valid_rate_is_retriable(said: list[Any], words: Any) -> None:
    said.append(words)

    with pytest.raises(Failure) as caught:
        await ask_for_rate(USD)

    assert (caught.value.code, caught.value.retriable) == ("rates_unavailable", True)


@pytest.mark.parametrize("currency", ["XXX", "SEK"])
async def test_an_unknown_currency_is_not_retriable(sandbox: Sandbox, currency: str) -> None:
    order = PartnerOrder(currency=currency, date="2026-01-01", partner="centralbank")

    with pytest.raises(Failure) as caught:
        await ask_for_rate(order)

    assert (caught.value.code, caught.value.retriable) == ("currency_unknown", False)


async def test_a_partner_without_an_address_is_not_retriable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RATES_URL", raising=False)

    with pytest.raises(Failure, match="RATES_URL"):
        await ask_for_rate(USD)
