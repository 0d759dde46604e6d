"""Rankings: each page of the directory is ranked by a child, and the rankings are merged."""

from typing import Any

import pytest

from blueprints import aggregator_directory, aggregator_ranking
from blueprints.aggregator_directory import PAGES
from durablehost.app.functions import FunctionTable
from durablehost.testing import ManualHub, every_crash
from tests.aggregating import an_event, names, post, problem, rank
from tests.faults.judging import completed


async def test_the_ten_largest_totals_are_listed_in_their_order(hub: ManualHub) -> None:
    for number in range(12):
        for event in range(3):
            await post(hub, f"e-{event}", f"v-{number:02}", amount_cents=number)

    ranking = await rank(hub, "now")

    assert names(ranking["lines"]) == [(n + 1, f"v-{11 - n:02}") for n in range(10)]
    assert ranking["lines"][0] == {"rank": 1, "vendor": "v-11", "events": 3, "amount_cents": 33}
    status = {"step": "ranked", "done": PAGES, "of": PAGES}
    assert hub.custom_status("ranking:now") == status


async def test_equal_totals_are_in_the_order_of_the_names(hub: ManualHub) -> None:
    for vendor, amount in {"a": 5, "b": 9, "c": 5, "d": 9, "e": 7}.items():
        await post(hub, "e-1", vendor, amount_cents=amount)

    ranking = await rank(hub, "four", top=4)

    assert names(ranking["lines"]) == [(1, "b"), (2, "d"), (3, "e"), (4, "a")]


async def test_a_ranking_without_vendors_is_empty(hub: ManualHub) -> None:
    assert await rank(hub, "now") == {"lines": []}


async def test_a_ranking_is_made_once_for_each_name(hub: ManualHub) -> None:
    await post(hub, "e-1")
    await rank(hub, "now")
    await post(hub, "e-1", "globex", amount_cents=900)

    again = await hub.request("POST", "/api/rankings", json={"name": "now", "top": 10})
    other = await hub.request("POST", "/api/rankings", json={"name": "now", "top": 5})

    assert (again.status, problem(other)) == (200, (409, "other_work"))
    assert names(hub.output("ranking:now")["lines"]) == [(1, "acme")]
    assert names((await rank(hub, "later"))["lines"]) == [(1, "globex"), (2, "acme")]


async def test_the_history_does_not_grow_with_the_number_of_vendors(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aggregator_directory, "LISTED", 5)
    vendors = [f"v-{number:03}" for number in range(40)]
    await hub.set_entity_state("vendor_directory", "0", {"vendors": vendors})
    for number, vendor in enumerate(vendors):
        event = an_event("e-1", amount_cents=number)
        await hub.signal("vendor_total", f"{vendor}:0", "record", event)

    page = await hub.start("ranking_page", {"page": 0, "top": 3, "after": "", "lines": []})

    assert [line["vendor"] for line in hub.output(page)] == ["v-039", "v-038", "v-037"]
    assert len(hub.history(page)) < 80


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "name"), ({"name": "a:b"}, "name"), ({"name": "a", "top": 0}, "top")]
    + [({"name": "a", "top": 101}, "top"), ({"name": "a", "by": "events"}, "by")],
)
async def test_a_body_that_is_not_a_ranking_names_the_field(
    hub: ManualHub, body: dict[str, Any], field: str
) -> None:
    answer = await hub.request("POST", "/api/rankings", json=body)

    assert answer.status == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert hub.instances() == []


async def test_a_crash_between_any_two_steps_ranks_the_same(
    durable_app: FunctionTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (aggregator_directory, aggregator_ranking):
        monkeypatch.setattr(module, "PAGES", 2)

    async def run(hub: ManualHub) -> None:
        for number, vendor in enumerate(("acme", "b", "c"), 1):
            await post(hub, "e-1", vendor, amount_cents=number)
        await rank(hub, "now", top=2)

    crashes = 0
    async for hub in every_crash(durable_app, run):
        crashes += 1
        await run(hub)

        assert names(hub.output("ranking:now")["lines"]) == [(1, "c"), (2, "b")]
        assert hub.problems() == []
    assert crashes > 2


# What holds whatever goes wrong: `make faults` checks it after each faulty run.


async def invariant_a_ranking_has_each_vendor_once_and_in_order(hub: ManualHub) -> None:
    for ranking in completed(hub, "vendor_ranking"):
        lines = ranking.output["lines"]
        assert len({each["vendor"] for each in lines}) == len(lines)
        amounts = [each["amount_cents"] for each in lines]
        assert amounts == sorted(amounts, reverse=True)
