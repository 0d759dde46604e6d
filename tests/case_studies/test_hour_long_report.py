"""A report that takes an hour, behind a client that polls."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from durablehost.testing import Answer, ManualHub
from tests.filing import Filed
from tests.outside import Sandbox

pytestmark = pytest.mark.azurite

A_MONTH_TAKES = timedelta(minutes=5)
HOUR = timedelta(hours=1)


@dataclass
class Client:
    """A client that polls as the answers say, and remembers them."""

    hub: ManualHub
    percents: list[int] = field(default_factory=list)
    pauses: list[int] = field(default_factory=list)

    async def poll(self, location: str, until: timedelta) -> Answer:
        """Poll until the answer is not 202, or until the time is over."""
        path, end = location.removeprefix("http://localhost:7071"), self.hub.clock.now() + until
        while True:
            answer = await self.hub.request("GET", path)
            self.percents.append(answer.json()["percent"])
            if answer.status != 202 or self.hub.clock.now() >= end:
                return answer
            self.pauses.append(int(answer.headers["Retry-After"]))
            await self.hub.advance(timedelta(seconds=self.pauses[-1]))


@pytest.fixture
async def order(hub: ManualHub, sandbox: Sandbox, filed: Filed) -> dict[str, Any]:
    """The order of a report over the books, each month of which takes five minutes to collect."""
    for number in range(3):
        posting = {"kind": "invoice", "vendor": "acme", "number": f"R-{number}"}
        headers = {"Idempotency-Key": f"R-{number}"}
        await sandbox.send("POST", "/postings", posting | {"amount_cents": 1_000}, headers)
    hub.slow_activity("collect_report_month", A_MONTH_TAKES)
    return {"year": hub.clock.now().year, "edition": filed.name}


async def test_a_client_that_polls_has_the_file_within_a_minute_of_its_end(
    hub: ManualHub, order: dict[str, Any]
) -> None:
    client, began = Client(hub), hub.clock.now()

    started = await hub.request("POST", "/api/reports", json=order)
    ended = await client.poll(started.headers["Location"], 2 * HOUR)
    path = ended.json()["resultUri"].removeprefix("http://localhost:7071")
    file = await hub.request("GET", path)

    assert (started.status, ended.status, file.status) == (202, 200, 200)
    assert HOUR <= hub.clock.now() - began <= HOUR + timedelta(minutes=1)
    assert file.text.count(",acme,R-") == 3


async def test_polling_takes_a_hundred_and_sixteen_requests_and_shows_the_progress(
    hub: ManualHub, order: dict[str, Any]
) -> None:
    client = Client(hub)

    started = await hub.request("POST", "/api/reports", json=order)
    await client.poll(started.headers["Location"], 2 * HOUR)

    assert len(client.percents) == 116
    assert client.percents == sorted(client.percents)
    assert sorted(set(client.percents)) == [100 * months // 13 for months in range(12)] + [100]
    assert set(client.pauses) == {5, 60}


async def test_a_client_that_restarts_finds_its_report_by_repeating_the_request(
    hub: ManualHub, order: dict[str, Any]
) -> None:
    await hub.request("POST", "/api/reports", json=order)
    await hub.advance(HOUR / 2)
    again = await hub.request("POST", "/api/reports", json=order)
    await hub.advance(HOUR / 2)
    once_more = await hub.request("POST", "/api/reports", json=order)

    assert (again.status, again.json()["percent"]) == (202, 46)
    assert (once_more.status, once_more.json()["state"]) == (200, "completed")
    assert len(hub.calls("collect_report_month")) == 12


async def test_a_crash_after_half_an_hour_costs_one_month(
    hub: ManualHub, order: dict[str, Any]
) -> None:
    started = await hub.request("POST", "/api/reports", json=order)
    await hub.advance(timedelta(minutes=29))

    hub.crash()
    ended = await hub.run_until_ended(started.json()["id"])

    assert ended.updated - ended.created == HOUR + timedelta(minutes=4)
    assert [call.input["month"] for call in hub.calls("collect_report_month")] == list(range(1, 13))


async def test_a_cancel_takes_effect_when_the_current_month_is_collected(
    hub: ManualHub, order: dict[str, Any]
) -> None:
    started = (await hub.request("POST", "/api/reports", json=order)).json()
    await hub.advance(timedelta(minutes=31))

    await hub.request("POST", f"/api/operations/{started['id']}/cancel?reason=too+dear")
    ended = await hub.run_until_ended(started["id"])

    assert ended.updated - ended.created == timedelta(minutes=35)
    assert hub.output(started["id"])["outcome"] == "cancelled"
