"""Aggregator: an event counts once, however often it is sent and by whichever door."""

import asyncio
import json
import random
from typing import Any

import pytest

from blueprints import aggregator, aggregator_sharding
from blueprints.aggregator_booking import OPEN_DAYS, REMEMBERED
from blueprints.aggregator_sharding import PAGES, SHARDS_ASKED, page_of
from durablehost.app.functions import FunctionTable
from durablehost.errors import FunctionFailed
from durablehost.testing import ManualHub, every_crash
from http_api.entities import state_of
from tests.aggregating import (
    DAY,
    NEXT_DAY,
    an_event,
    counted,
    enqueue,
    names,
    next_day,
    post,
    problem,
    rank,
    shards,
    total,
    use_few_pages,
)


@pytest.fixture(autouse=True)
def of_the_hub(hub: ManualHub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOT_VENDORS", "HOT_SHARDS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def hot(monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor acme is hot, and split over eight shards."""
    monkeypatch.setenv("HOT_VENDORS", "globex, acme")


# Counting


async def test_events_of_a_vendor_add_up_credit_notes_included(hub: ManualHub) -> None:
    first = await post(hub, "e-1", amount_cents=500)
    await post(hub, "e-2", amount_cents=-120)

    assert (first.status, first.json()["event"]) == (202, "e-1")
    assert first.headers["Location"] == first.json()["statusQueryGetUri"]
    assert first.headers["Location"].endswith("/api/totals/acme")
    expected = {"vendor": "acme", "events": 2, "amount_cents": 380, "late": 0, "repeats": 0}
    assert await total(hub) == expected


async def test_a_message_of_the_queue_counts_as_a_post_does(hub: ManualHub) -> None:
    await post(hub, "e-1")
    await enqueue(hub, an_event("e-2"))

    assert await counted(hub) == (2, 200)


async def test_each_vendor_has_a_total_of_its_own(hub: ManualHub) -> None:
    for number, vendor in enumerate(("acme", "Acme", "acme.1", "a-1"), 1):
        await post(hub, "e-1", vendor, amount_cents=number)

    found = [await counted(hub, vendor) for vendor in ("acme", "Acme", "acme.1", "a-1")]
    assert found == [(1, 1), (1, 2), (1, 3), (1, 4)]


async def test_a_day_has_the_events_that_are_dated_on_it(hub: ManualHub) -> None:
    await post(hub, "e-1", day="2025-12-30", amount_cents=1)
    await post(hub, "e-2", day=DAY, amount_cents=2)
    await post(hub, "e-3", day=NEXT_DAY, amount_cents=4)

    shown = await total(hub, day="2025-12-30")

    expected = {"day": "2025-12-30", "state": "open", "events": 1, "amount_cents": 1}
    assert shown == {"vendor": "acme", **expected}
    assert await counted(hub, day=NEXT_DAY) == (1, 4)
    assert await counted(hub, day="2025-12-31") == (0, 0)
    assert await counted(hub) == (3, 7)


async def test_an_event_that_is_repeated_counts_once_whichever_way_it_comes(
    hub: ManualHub,
) -> None:
    for _ in range(3):
        assert (await post(hub, "e-1")).status == 202
        await enqueue(hub, an_event("e-1"))

    expected = {"vendor": "acme", "events": 1, "amount_cents": 100, "late": 0, "repeats": 5}
    assert await total(hub) == expected


async def test_an_event_is_repeated_by_its_name_whatever_else_it_says(hub: ManualHub) -> None:
    await post(hub, "e-1", amount_cents=1)
    await post(hub, "e-1", amount_cents=2)
    await post(hub, "e-1", day=NEXT_DAY)

    assert await counted(hub) == (1, 1)


async def test_an_event_is_remembered_through_999_others_and_counts_anew_after_a_thousand(
    hub: ManualHub,
) -> None:
    """The bound that the page names, from both sides."""
    await post(hub, "e-1")
    for number in range(REMEMBERED - 1):
        await hub.signal("vendor_total", "acme:0", "record", an_event(f"other-{number}"))
    await post(hub, "e-1")
    remembered = await counted(hub)

    await post(hub, "one-more")
    await post(hub, "e-1")

    assert remembered == (1000, 100_000)
    assert await counted(hub) == (1002, 100_200)


async def test_the_state_of_a_shard_does_not_grow_for_ever(hub: ManualHub) -> None:
    for number in range(1, 2 * REMEMBERED):
        day = f"{1900 + number % 100}-01-01"
        await hub.signal("vendor_total", "acme:0", "record", an_event(f"e-{number}", day=day))

    [state] = shards(hub)
    assert (len(state["seen"]), len(state["open"])) == (REMEMBERED, OPEN_DAYS)
    assert sum(tally["events"] for tally in state["open"].values()) == 2 * REMEMBERED - 1
    # The platform keeps a state of over 32,768 characters in a blob of its own.
    assert len(json.dumps(json.dumps(state))) < 32_768


async def test_a_crash_loses_no_event_that_was_taken_and_doubles_none_that_is_sent_again(
    durable_app: FunctionTable, hot: None
) -> None:
    async def run(hub: ManualHub) -> None:
        taken.clear()
        for number in range(3):
            await post(hub, f"e-{number}")
            taken.add(number)
            await enqueue(hub, an_event(f"m-{number}"))

    taken: set[int] = set()
    crashes = 0
    async for hub in every_crash(durable_app, run):
        crashes += 1
        await hub.run_until_idle()
        events, _ = await counted(hub) if hub.instances() else (0, 0)
        assert events >= len(taken)

        await run(hub)

        assert await counted(hub) == (6, 600)
    assert crashes > 6


# Bad input at both doors


JUNK: list[Any] = [
    {},
    [],
    "text",
    None,
    an_event("e-1") | {"amount_cents": "5"},
    an_event("e-1") | {"amount_cents": 1.5},
    an_event("e-1") | {"amount_cents": True},
    an_event("e-1") | {"amount_cents": 10**12 + 1},
    an_event("e-1") | {"more": 1},
    an_event("e/1"),
    an_event("", vendor="acme"),
    an_event("e-1", vendor="a:b"),
    an_event("e-1", vendor="@acme"),
    an_event("e-1", vendor="a" * 65),
    an_event("e-1", day="2026-02-30"),
    an_event("e-1", day="20260101"),
    an_event("e-1", day="2026-W01-1"),
    an_event("e-1", day="٢٠٢٦-٠١-٠١"),
    an_event("e-1", day="2026-01-03"),
]


@pytest.mark.parametrize("junk", JUNK, ids=str)
async def test_a_body_that_is_no_event_is_refused_and_counts_nothing(
    hub: ManualHub, junk: Any
) -> None:
    answer = await hub.request("POST", "/api/totals", data=json.dumps(junk))

    assert answer.status == 422
    assert problem(answer)[1] in ("invalid_body", "day_to_come")
    assert hub.instances() == []


@pytest.mark.parametrize("junk", [*JUNK, b"", b"no json", b"\xff\xfe", b"[" * 100_000])
async def test_a_message_that_is_no_event_raises_and_counts_nothing(
    hub: ManualHub, junk: Any
) -> None:
    with pytest.raises(FunctionFailed, match="Problem: the (message|day) "):
        await enqueue(hub, junk)

    assert hub.instances() == []


async def test_junk_does_not_come_into_the_way_of_what_follows(hub: ManualHub) -> None:
    with pytest.raises(FunctionFailed):
        await enqueue(hub, b"no json")
    await enqueue(hub, an_event("e-1"))

    assert await counted(hub) == (1, 100)


@pytest.mark.allow_problems("unreadable-signal")
@pytest.mark.parametrize("junk", [None, 5, "e-1", [], {}, {"event": "e-2", "day": "soon"}])
async def test_a_signal_that_is_no_event_changes_nothing_in_the_shard_itself(
    hub: ManualHub, junk: Any
) -> None:
    await post(hub, "e-1")
    before = shards(hub)

    await hub.signal("vendor_total", "acme:0", "record", junk)
    await hub.signal("vendor_total", "acme:0", "forget", an_event("e-2"))

    assert shards(hub) == before


def test_operations_that_arrive_together_fail_each_for_itself() -> None:
    """As the host hands them over: all that wait at once, each input as text in text."""
    operations = [("record", an_event("e-1")), ("record", {"event": "e-2"}), ("forget", None)]
    operations += [("record", an_event("e-1")), ("close", DAY), ("record", an_event("e-3"))]
    batch = [{"name": name, "input": json.dumps(json.dumps(data))} for name, data in operations]
    context = {"self": {"name": "vendor_total", "key": "acme:0"}, "exists": False, "state": None}
    operate = aggregator.vendor_total.build().get_user_function()

    done = json.loads(operate(json.dumps(context | {"batch": batch})))

    failed = [result["isError"] for result in done["results"]]
    assert failed == [False, True, True, False, False, False]
    assert json.loads(done["results"][4]["result"]) == {"events": 1, "amount_cents": 100}
    state = json.loads(done["entityState"])
    assert (state["events"], state["repeats"], state["late"]) == (2, 1, 1)
    assert list(state["open"]) == [NEXT_DAY]


@pytest.mark.parametrize("vendor", ["nobody", "a:b", "@acme", "a" * 65, "..%2Facme"])
async def test_a_vendor_without_events_is_unknown(hub: ManualHub, vendor: str) -> None:
    await post(hub, "e-1")

    answer = await hub.request("GET", f"/api/totals/{vendor}")

    assert problem(answer) == (404, "unknown_vendor")


@pytest.mark.parametrize("query", ["day=today", "day=2026-13-01", "date=2026-01-01"])
async def test_a_day_that_is_none_is_refused(hub: ManualHub, query: str) -> None:
    await post(hub, "e-1")

    answer = await hub.request("GET", f"/api/totals/acme?{query}")

    assert problem(answer) == (422, "invalid_query")


@pytest.mark.parametrize("value", ["0", "-1", "eight"])
async def test_a_wrong_number_of_shards_refuses_no_event_and_is_logged(
    hub: ManualHub,
    hot: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    value: str,
) -> None:
    await post(hub, "e-1")
    monkeypatch.setenv("HOT_SHARDS", value)

    answers = [await post(hub, f"e-{n}") for n in range(2, 12)]
    await enqueue(hub, an_event("m-1"))
    await post(hub, "e-1", "globex")

    assert {answer.status for answer in answers} == {202}
    assert (await counted(hub), await counted(hub, "globex")) == ((12, 1200), (1, 100))
    assert len(hub.entity_state("vendor_splits", "acme")["splits"]) == 1
    assert f"the setting HOT_SHARDS is '{value}'" in caplog.text


async def test_a_full_page_of_the_directory_takes_no_new_vendor_and_all_events_of_the_others(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aggregator, "MOST_KEYS", 3)
    *known, late = [name for n in range(200) if page_of(name := f"v-{n}") == "0"][:4]
    for vendor in known:
        await post(hub, "e-1", vendor)

    refused = await post(hub, "e-1", late)
    answers = [await post(hub, "e-2", vendor) for vendor in known]

    assert problem(refused) == (409, "directory_full")
    assert [answer.status for answer in answers] == [202] * 3
    assert [await counted(hub, vendor) for vendor in known] == [(2, 200)] * 3


# Shards


async def test_a_thousand_events_of_a_hot_vendor_add_up_over_all_of_its_shards(
    hub: ManualHub, hot: None
) -> None:
    amounts = [random.Random(7).randint(-50, 100) for _ in range(1000)]

    answers = await asyncio.gather(
        *(post(hub, f"e-{n}", amount_cents=amount) for n, amount in enumerate(amounts))
    )

    assert {answer.status for answer in answers} == {202}
    assert await counted(hub) == (1000, sum(amounts))
    each = [state["events"] for state in shards(hub)]
    assert (len(each), sum(each)) == (8, 1000)
    assert min(each) > 1000 / 8 / 2


async def test_a_repeated_event_meets_the_shard_that_has_counted_it(
    hub: ManualHub, hot: None
) -> None:
    for _ in range(3):
        for n in range(40):
            await post(hub, f"e-{n}")

    assert await counted(hub) == (40, 4000)
    assert (await total(hub))["repeats"] == 80


async def test_only_hot_vendors_are_split(hub: ManualHub, hot: None) -> None:
    for n in range(20):
        await post(hub, f"e-{n}", "small")

    assert [state["events"] for state in shards(hub, "small")] == [20]


@pytest.mark.parametrize(("before", "after"), [("1", "8"), ("8", "3"), ("3", "64")])
async def test_another_number_of_shards_neither_loses_nor_doubles_an_event(
    hub: ManualHub, hot: None, monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    async def send(day: str) -> None:
        for n in range(20):
            await post(hub, f"{day}-{n}", day=day)

    monkeypatch.setenv("HOT_SHARDS", before)
    await send(DAY)
    monkeypatch.setenv("HOT_SHARDS", after)
    for day in (DAY, NEXT_DAY):
        await send(day)
    await next_day(hub, days=5)
    for day in (DAY, NEXT_DAY, "2026-01-06"):
        await send(day)

    assert await counted(hub) == (60, 6000)
    assert (await rank(hub, "now"))["lines"][0]["events"] == 60
    assert len(shards(hub)) > int(before) or int(after) < int(before)


async def test_workers_whose_settings_differ_lose_no_event_between_them(
    hub: ManualHub, hot: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(40):
        monkeypatch.setenv("HOT_SHARDS", "8" if n % 2 else "1")
        await post(hub, f"e-{n}")
        await post(hub, f"e-{n}")

    assert await counted(hub) == (40, 4000)
    assert len(hub.entity_state("vendor_splits", "acme")["splits"]) <= 2


async def test_a_total_can_be_read_before_its_first_event_is_in(hub: ManualHub) -> None:
    order = {"shards": 1, "since": NEXT_DAY, "closed_through": ""}

    await hub.signal("vendor_splits", "acme", "split", order)

    assert await counted(hub) == (0, 0)
    assert (await total(hub, day=DAY))["state"] == "open"


# Rankings


async def test_the_first_ten_are_named_in_their_order(hub: ManualHub, hot: None) -> None:
    vendors = ["acme", *(f"v-{n}" for n in range(30))]
    for number, vendor in enumerate(vendors, 1):
        for event in range(3):
            await post(hub, f"e-{event}", vendor, amount_cents=number)

    ranking = await rank(hub, "now")

    assert names(ranking["lines"]) == [(n + 1, f"v-{29 - n}") for n in range(10)]
    assert ranking["lines"][0] == {"rank": 1, "vendor": "v-29", "events": 3, "amount_cents": 93}
    assert ranking["tied_with_last"] == 0
    status = {"step": "ranked", "done": PAGES, "of": PAGES}
    assert hub.custom_status("ranking:now") == status


async def test_a_hot_vendor_is_ranked_by_all_of_its_shards(hub: ManualHub, hot: None) -> None:
    for n in range(30):
        await post(hub, f"e-{n}", amount_cents=10)
    await post(hub, "e-1", "small", amount_cents=299)

    ranking = await rank(hub, "now")

    assert names(ranking["lines"]) == [(1, "acme"), (2, "small")]


async def test_those_with_the_same_total_share_a_place_and_names_decide_who_is_named(
    hub: ManualHub,
) -> None:
    amounts = {"a": 5, "b": 9, "c": 5, "d": 9, "e": 7, "f": 5, "g": 5, "h": 1}
    for vendor, amount in amounts.items():
        await post(hub, "e-1", vendor, amount_cents=amount)

    ranking = await rank(hub, "five", top=5)

    assert names(ranking["lines"]) == [(1, "b"), (1, "d"), (3, "e"), (4, "a"), (4, "c")]
    assert ranking["tied_with_last"] == 2


async def test_a_ranking_of_nobody_is_empty(hub: ManualHub) -> None:
    assert await rank(hub, "now") == {"lines": [], "tied_with_last": 0}


async def test_a_page_with_more_shards_than_are_asked_at_once_is_ranked_whole(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendors = [f"v-{n}" for n in range(600) if page_of(f"v-{n}") == "0"][: SHARDS_ASKED // 4]
    monkeypatch.setenv("HOT_VENDORS", ",".join(vendors))
    monkeypatch.setenv("HOT_SHARDS", "5")
    for number, vendor in enumerate(vendors):
        for event in range(6):
            await post(hub, f"e-{event}", vendor, amount_cents=number)

    ranking = await rank(hub, "now", top=100)

    wanted = {vendor: 6 * number for number, vendor in enumerate(vendors)}
    assert {line["vendor"]: line["amount_cents"] for line in ranking["lines"]} == wanted


async def test_a_ranking_is_made_once_a_name(hub: ManualHub) -> None:
    await post(hub, "e-1")
    await rank(hub, "now")
    await post(hub, "e-1", "globex", amount_cents=900)

    again = await hub.request("POST", "/api/rankings", json={"name": "now", "top": 10})
    other = await hub.request("POST", "/api/rankings", json={"name": "now", "top": 5})

    assert (again.status, problem(other)) == (200, (409, "other_work"))
    assert names(hub.output("ranking:now")["lines"]) == [(1, "acme")]
    assert names((await rank(hub, "later"))["lines"]) == [(1, "globex"), (2, "acme")]


@pytest.mark.parametrize("orchestrator", ["ranking_page", "closing_page"])
async def test_no_history_grows_with_the_number_of_vendors(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch, orchestrator: str
) -> None:
    monkeypatch.setattr(aggregator_sharding, "SHARDS_ASKED", 10)
    nothing = {"lines": [], "tied_with_last": 0}
    if orchestrator == "closing_page":
        nothing = {"day": DAY, "vendors": 0, "events": 0, "amount_cents": 0}
    for number in range(100):
        vendor = f"v-{number:03}"
        await hub.signal("vendor_directory", "0", "register", {"key": vendor, "shards": 1})
        await hub.signal("vendor_total", f"{vendor}:0", "record", an_event("e-1"))

    order = {"page": "0", "day": DAY, "top": 100, "after": "", "so_far": nothing}
    page = await hub.start(orchestrator, order)

    assert len(hub.history(page)) < 50
    output = hub.output(page)
    assert output.get("vendors", len(output.get("lines", []))) == 100


async def test_an_event_of_a_known_vendor_reads_no_page_of_the_directory(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page is some 50 KB where there are many vendors."""
    read: list[str] = []

    async def noting(client: Any, entity: Any) -> Any:
        read.append(entity.name)
        return await state_of(client, entity)

    monkeypatch.setattr(aggregator, "state_of", noting)
    await post(hub, "e-1")
    await enqueue(hub, an_event("e-2"))
    await post(hub, "e-3")
    await total(hub)

    assert read.count("vendor_directory") == 1
    assert len(json.dumps(hub.entity_state("vendor_splits", "acme"))) < 200


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "name"), ({"name": "a:b"}, "name"), ({"name": "a", "top": 0}, "top")]
    + [({"name": "a", "top": 101}, "top"), ({"name": "a", "by": "events"}, "by")],
)
async def test_a_ranking_that_is_not_right_names_the_field(
    hub: ManualHub, body: dict[str, Any], field: str
) -> None:
    answer = await hub.request("POST", "/api/rankings", json=body)

    assert answer.status == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert hub.instances() == []


async def test_a_crash_between_any_two_steps_ranks_the_same(
    durable_app: FunctionTable, hot: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = use_few_pages(monkeypatch)

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
    assert crashes > pages
