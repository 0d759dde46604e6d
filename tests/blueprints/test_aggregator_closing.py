"""Aggregator: a closed day stays as it is, and what comes late is in the next day, once."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from activities import clock
from blueprints.aggregator_booking import CLOSED_DAYS
from blueprints.aggregator_sharding import PAGES
from durablehost.app.functions import FunctionTable
from durablehost.testing import ManualHub, every_crash
from tests.aggregating import (
    DAY,
    NEXT_DAY,
    an_event,
    close,
    counted,
    enqueue,
    next_day,
    post,
    problem,
    shards,
    total,
    use_few_pages,
)

CLOSING = f"closing:{DAY}"
THIRD_DAY = "2026-01-03"


Follow = Callable[[ManualHub], None]


@pytest.fixture(autouse=True)
def follow(hub: ManualHub, monkeypatch: pytest.MonkeyPatch) -> Follow:
    """The app goes by the clock of `hub`, or of another one; and the vendor acme is hot."""

    def follow(hub: ManualHub) -> None:
        monkeypatch.setattr(clock, "now", hub.clock.now)

    follow(hub)
    monkeypatch.setenv("HOT_VENDORS", "acme")
    monkeypatch.setenv("HOT_SHARDS", "3")
    return follow


async def failure(hub: ManualHub, day: str) -> Any:
    """The code that a closing failed with."""
    shown = (await hub.request("GET", f"/api/operations/closing:{day}")).json()
    assert shown["runtimeStatus"] == "Failed"
    return shown["output"]["code"]


async def test_closing_freezes_what_the_day_came_to_and_warns_of_nothing(
    hub: ManualHub, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(10):
        await post(hub, f"e-{number}")
    await post(hub, "e-1", "globex", amount_cents=-30)
    await post(hub, "e-2", "globex", day=NEXT_DAY)
    await next_day(hub)

    answer = await close(hub, DAY)

    expected = {"day": DAY, "vendors": 2, "events": 11, "amount_cents": 970}
    assert (answer.status, hub.output(CLOSING)) == (202, expected)
    assert caplog.messages == []
    assert hub.custom_status(CLOSING) == {"step": "closed", "done": PAGES, "of": PAGES}
    shown = {"day": DAY, "state": "closed", "events": 10, "amount_cents": 1000}
    assert await total(hub, day=DAY) == {"vendor": "acme", **shown}
    assert (await total(hub, "globex", NEXT_DAY))["state"] == "open"
    assert await counted(hub, "globex") == (2, 70)


async def test_an_event_that_comes_late_is_in_the_next_day_and_not_in_the_closed_one(
    hub: ManualHub,
) -> None:
    await post(hub, "e-1")
    await next_day(hub)
    await close(hub, DAY)

    for send in (post, lambda hub, event: enqueue(hub, an_event(event))):
        await send(hub, "late")
    await post(hub, "older", day="2025-12-24")

    assert await counted(hub, day=DAY) == (1, 100)
    assert await counted(hub, day=NEXT_DAY) == (2, 200)
    assert await counted(hub) == (3, 300)
    assert (await total(hub))["late"] == 2
    await next_day(hub)
    await close(hub, NEXT_DAY)
    assert hub.output(f"closing:{NEXT_DAY}")["events"] == 2


async def test_an_event_of_a_closed_day_that_is_repeated_is_in_no_day_again(
    hub: ManualHub,
) -> None:
    await post(hub, "e-1")
    await next_day(hub)
    await close(hub, DAY)

    await post(hub, "e-1")

    assert await counted(hub, day=DAY) == (1, 100)
    assert await counted(hub, day=NEXT_DAY) == (0, 0)


@pytest.mark.parametrize("vendor", ["newcomer", "acme"])
async def test_the_first_event_of_a_vendor_may_be_late_and_is_in_the_next_day(
    hub: ManualHub, vendor: str
) -> None:
    await next_day(hub, days=2)
    await close(hub, DAY)

    await post(hub, "e-1", vendor)
    booked = [await counted(hub, vendor, day) for day in (DAY, NEXT_DAY)]
    state = (await total(hub, vendor, DAY))["state"]
    await close(hub, NEXT_DAY)

    assert (booked, state) == ([(0, 0), (1, 100)], "closed")
    assert hub.output(CLOSING)["events"] == 0
    assert hub.output(f"closing:{NEXT_DAY}")["events"] == 1


async def test_an_event_whose_sender_knew_of_no_closing_is_in_the_next_one(
    hub: ManualHub,
) -> None:
    """As it is where the event was taken at the moment at which the day was closed."""
    await next_day(hub, days=2)
    await close(hub, DAY)

    await hub.signal("vendor_total", "newcomer:0", "record", an_event("e-1"))
    await post(hub, "e-2", "newcomer")
    await close(hub, NEXT_DAY)

    assert hub.output(f"closing:{NEXT_DAY}")["events"] == 2
    assert await counted(hub, "newcomer", DAY) == (0, 0)
    assert await counted(hub, "newcomer", NEXT_DAY) == (2, 200)


async def test_closing_a_day_twice_is_one_closing(hub: ManualHub) -> None:
    await post(hub, "e-1")
    await next_day(hub)
    await close(hub, DAY)
    await post(hub, "late")

    again = await close(hub, DAY)

    assert again.status == 200
    assert hub.output(CLOSING)["events"] == 1


async def test_a_closing_that_was_deleted_and_is_run_again_comes_to_the_same(
    hub: ManualHub,
) -> None:
    await post(hub, "e-1")
    await next_day(hub)
    await close(hub, DAY)
    before = hub.output(CLOSING)
    await post(hub, "late")
    await post(hub, "of-another", "globex")
    await hub.request("DELETE", f"/api/operations/{CLOSING}")

    again = await close(hub, DAY)

    assert (again.status, hub.output(CLOSING)) == (202, before)
    assert await counted(hub, "globex", DAY) == (0, 0)


@pytest.mark.parametrize("day", [DAY, NEXT_DAY, "2027-01-01"])
async def test_a_day_that_is_not_over_cannot_be_closed(hub: ManualHub, day: str) -> None:
    assert problem(await close(hub, day)) == (409, "day_not_over")
    assert hub.instances() == []


async def test_a_day_can_be_closed_the_moment_it_is_over(hub: ManualHub) -> None:
    await hub.advance(timedelta(days=1) - timedelta(seconds=1))
    assert (await close(hub, DAY)).status == 409

    await hub.advance(timedelta(seconds=1))
    assert (await close(hub, DAY)).status == 202


@pytest.mark.parametrize("body", [{}, {"day": 5}, {"day": "2026-02-30"}, {"day": DAY, "no": 1}])
async def test_a_closing_of_no_day_is_refused(hub: ManualHub, body: dict[str, Any]) -> None:
    answer = await hub.request("POST", "/api/closings", json=body)

    assert problem(answer) == (422, "invalid_body")
    assert hub.instances() == []


async def test_days_that_nobody_closed_are_closed_with_the_next(hub: ManualHub) -> None:
    await post(hub, "e-1")
    await post(hub, "e-2", day=NEXT_DAY)
    await next_day(hub, days=2)
    await close(hub, NEXT_DAY)

    await close(hub, DAY)

    assert hub.output(f"closing:{NEXT_DAY}")["events"] == 2
    assert await failure(hub, DAY) == "day_closed"
    assert await counted(hub, day=NEXT_DAY) == (2, 200)


async def test_a_day_is_not_closed_while_another_one_is(
    durable_app: FunctionTable, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_few_pages(monkeypatch)

    async def run(hub: ManualHub) -> None:
        follow(hub)
        await post(hub, "e-1")
        await next_day(hub, days=2)
        await close(hub, DAY)

    refused = 0
    async for hub in every_crash(durable_app, run):
        begun = any(each.id == CLOSING for each in hub.instances())
        if not begun:
            continue
        await hub.terminate(CLOSING)
        await close(hub, NEXT_DAY)
        if hub.entity_state("closing_calendar", "days")["closing"] == DAY:
            refused += 1
            assert await failure(hub, NEXT_DAY) == "closing_under_way"
            await hub.request("DELETE", f"/api/operations/{CLOSING}")
            await close(hub, DAY)
            await hub.request("POST", f"/api/operations/closing:{NEXT_DAY}/retry")
        closed = hub.entity_state("closing_calendar", "days")["closed"]
        assert sum(total["events"] for total in closed.values()) == 1
    assert refused


async def test_a_day_whose_closing_was_terminated_can_be_closed_again(
    durable_app: FunctionTable, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_few_pages(monkeypatch)

    async def run(hub: ManualHub) -> None:
        follow(hub)
        await post(hub, "e-1")
        await next_day(hub)
        await close(hub, DAY)

    terminated = 0
    async for hub in every_crash(durable_app, run):
        answer = await hub.request("POST", f"/api/operations/{CLOSING}/cancel?force=true")
        await hub.advance(timedelta(minutes=5))
        if answer.status == 202 and hub.status(CLOSING) == "Terminated":
            await hub.request("DELETE", f"/api/operations/{CLOSING}")
            terminated += 1
        await run(hub)

        assert hub.output(CLOSING)["events"] == 1
    assert terminated > 5


async def test_no_event_is_lost_or_doubled_whenever_it_comes_while_a_day_is_closed(
    durable_app: FunctionTable, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events come before and after the closing, and after a crash between any two of its steps."""
    use_few_pages(monkeypatch)

    async def run(hub: ManualHub) -> None:
        follow(hub)
        for number in range(4):
            await post(hub, f"early-{number}")
        await post(hub, "early", "globex")
        await next_day(hub)
        await close(hub, DAY)

    days = set()
    async for hub in every_crash(durable_app, run):
        for number in range(6):
            await post(hub, f"amid-{number}")
        await post(hub, "amid", "newcomer")
        await run(hub)
        await next_day(hub, days=2)
        await close(hub, NEXT_DAY)

        ends = [hub.output(f"closing:{day}") for day in (DAY, NEXT_DAY)]
        assert sum(end["events"] for end in ends) == 12
        assert await counted(hub) == (10, 1000)
        assert [await counted(hub, vendor) for vendor in ("globex", "newcomer")] == [(1, 100)] * 2
        for day, end in zip((DAY, NEXT_DAY), ends, strict=True):
            vendors = [await counted(hub, vendor, day) for vendor in ("acme", "globex", "newcomer")]
            assert sum(events for events, _ in vendors) == end["events"]
        assert hub.problems() == []
        days.add(ends[0]["events"])
    assert len(days) > 2, "no event came while the day was closed"


async def test_closed_days_that_are_long_past_are_forgotten_and_stay_in_the_total(
    hub: ManualHub,
) -> None:
    first = date.fromisoformat(DAY)
    await post(hub, "e-1")
    for number in range(CLOSED_DAYS + 1):
        for shard in range(3):
            day = (first + timedelta(days=number)).isoformat()
            await hub.signal("vendor_total", f"acme:{shard}", "close", day)

    answer = await hub.request("GET", f"/api/totals/acme?day={DAY}")

    assert problem(answer) == (404, "day_forgotten")
    assert await counted(hub, day=NEXT_DAY) == (0, 0)
    assert await counted(hub) == (1, 100)
    assert {len(state["closed"]) for state in shards(hub)} == {CLOSED_DAYS}
