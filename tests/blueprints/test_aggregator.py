"""Aggregator: an event counts once, however often it is sent, by HTTP or by the queue."""

import asyncio
import json
import random
from hashlib import sha256
from typing import Any

import pytest

from blueprints import aggregator, aggregator_directory
from blueprints.aggregator import REMEMBERED, SHARDS, shards_of
from blueprints.aggregator_directory import page_of
from durablehost.app.functions import FunctionTable
from durablehost.errors import FunctionFailed
from durablehost.testing import ManualHub, every_crash
from http_api.entities import state_of
from tests.aggregating import an_event, counted, enqueue, post, problem, sent, shards, total

# Counting


async def test_events_of_a_vendor_add_up_credit_notes_included(hub: ManualHub) -> None:
    first = await post(hub, "e-1", amount_cents=500)
    await post(hub, "e-2", amount_cents=-120)

    assert (first.status, first.json()["event"]) == (202, "e-1")
    assert first.headers["Location"] == first.json()["statusQueryGetUri"]
    assert first.headers["Location"].endswith("/api/totals/acme")
    expected = {"vendor": "acme", "events": 2, "amount_cents": 380, "repeats": 0}
    assert await total(hub) == expected


async def test_each_vendor_has_its_own_total(hub: ManualHub) -> None:
    for number, vendor in enumerate(("acme", "Acme", "acme.1", "a-1"), 1):
        await post(hub, "e-1", vendor, amount_cents=number)

    found = [await counted(hub, vendor) for vendor in ("acme", "Acme", "acme.1", "a-1")]
    assert found == [(1, 1), (1, 2), (1, 3), (1, 4)]


async def test_an_event_that_is_sent_again_counts_once_by_http_or_by_the_queue(
    hub: ManualHub,
) -> None:
    for _ in range(3):
        assert (await post(hub, "e-1")).status == 202
        await enqueue(hub, an_event("e-1"))
    await enqueue(hub, an_event("e-2"))

    expected = {"vendor": "acme", "events": 2, "amount_cents": 200, "repeats": 5}
    assert await total(hub) == expected


async def test_an_event_is_recognized_by_its_name_whatever_its_amount(hub: ManualHub) -> None:
    await post(hub, "e-1", amount_cents=1)
    await post(hub, "e-1", amount_cents=2)

    assert await counted(hub) == (1, 1)


def run_batch(state: object, *operations: tuple[str, object]) -> Any:
    """Run operations on a shard as the host hands them over: together, inputs as text in text."""
    batch = [{"name": name, "input": json.dumps(json.dumps(data))} for name, data in operations]
    context = {"self": {"name": "vendor_total", "key": "acme:0"}, "exists": state is not None}
    state_text = None if state is None else json.dumps(state)
    run = aggregator.vendor_total.build().get_user_function()
    return json.loads(run(json.dumps(context | {"state": state_text, "batch": batch})))


def test_an_event_is_remembered_for_999_others_and_counts_again_after_1000() -> None:
    """The bound that the page names, from both sides."""
    first = ("record", an_event("e-1"))
    others = [("record", an_event(f"other-{number}")) for number in range(REMEMBERED)]

    remembered = json.loads(run_batch(None, first, *others[:-1], first)["entityState"])
    forgotten = json.loads(run_batch(None, first, *others, first)["entityState"])

    assert (remembered["events"], remembered["repeats"]) == (1000, 1)
    assert (forgotten["events"], forgotten["repeats"]) == (1002, 0)
    # The platform keeps a state of over 32,768 characters in a blob of its own.
    assert len(json.dumps(json.dumps(forgotten))) < 32_768


def test_each_operation_of_a_batch_fails_by_itself() -> None:
    operations = [("record", an_event("e-1")), ("record", {"event": "e-2"}), ("forget", None)]
    operations += [("record", an_event("e-1")), ("read", None)]

    done = run_batch(None, *operations)

    assert [result["isError"] for result in done["results"]] == [False, True, True, False, False]
    assert json.loads(done["results"][4]["result"]) == {"events": 1, "amount_cents": 100}
    assert json.loads(done["entityState"])["repeats"] == 1


def test_a_state_saved_by_older_code_gets_its_missing_fields() -> None:
    done = run_batch({"events": 5, "amount_cents": 50}, ("record", an_event("e-1")))

    state = json.loads(done["entityState"])
    assert (state["events"], state["amount_cents"], state["repeats"]) == (6, 150, 0)


async def test_a_crash_loses_no_accepted_event_and_counts_none_twice_that_is_sent_again(
    durable_app: FunctionTable,
) -> None:
    async def run(hub: ManualHub) -> None:
        taken.clear()
        for number in range(2):
            await post(hub, f"e-{number}")
            taken.add(number)
            await enqueue(hub, an_event(f"m-{number}"))

    taken: set[int] = set()
    crashes = 0
    async for hub in every_crash(durable_app, run):
        crashes += 1
        await hub.run_until_idle()
        events = sum(state["events"] for state in shards(hub))
        assert events >= len(taken)

        await run(hub)

        assert await counted(hub) == (4, 400)
    assert crashes > 4


# Bad input


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
]


@pytest.mark.parametrize("junk", JUNK, ids=str)
async def test_a_body_that_is_not_an_event_is_refused_and_counts_nothing(
    hub: ManualHub, junk: Any
) -> None:
    answer = await hub.request("POST", "/api/totals", data=json.dumps(junk))

    assert problem(answer) == (422, "invalid_body")
    assert hub.instances() == []


@pytest.mark.parametrize("junk", [*JUNK, b"", b"no json", b"\xff\xfe", b"[" * 100_000])
async def test_a_message_that_is_not_an_event_raises_and_counts_nothing(
    hub: ManualHub, junk: Any
) -> None:
    with pytest.raises(FunctionFailed, match="Problem: the message "):
        await enqueue(hub, junk)

    assert hub.instances() == []


@pytest.mark.allow_problems("unreadable-signal")
@pytest.mark.parametrize("junk", [None, 5, "e-1", [], {}, {"event": "e-2", "amount_cents": "x"}])
async def test_a_signal_that_is_not_an_event_changes_nothing(hub: ManualHub, junk: Any) -> None:
    await post(hub, "e-1")
    before = shards(hub)
    [shard] = hub.instances("@vendor_total@acme:")

    await hub.signal("vendor_total", shard.id.split("@")[2], "record", junk)

    assert shards(hub) == before


@pytest.mark.parametrize("vendor", ["nobody", "a:b", "@acme", "a" * 65, "..%2Facme"])
async def test_a_vendor_without_events_is_unknown(hub: ManualHub, vendor: str) -> None:
    await post(hub, "e-1")

    answer = await hub.request("GET", f"/api/totals/{vendor}")

    assert problem(answer) == (404, "unknown_vendor")


# Shards and the directory


async def test_a_thousand_concurrent_events_add_up_over_all_shards(hub: ManualHub) -> None:
    amounts = [random.Random(7).randint(-50, 100) for _ in range(1000)]

    answers = await asyncio.gather(
        *(post(hub, f"e-{n}", amount_cents=amount) for n, amount in enumerate(amounts))
    )

    assert {answer.status for answer in answers} == {202}
    assert await counted(hub) == (1000, sum(amounts))
    each = [state["events"] for state in shards(hub)]
    assert (len(each), sum(each)) == (SHARDS, 1000)
    assert min(each) > 1000 / SHARDS / 2


async def test_the_directory_names_a_vendor_once(hub: ManualHub) -> None:
    for event in range(10):
        await post(hub, f"e-{event}")

    assert len(shards(hub)) > 1
    page = str(page_of("acme"))
    assert hub.entity_state("vendor_directory", page) == {"vendors": ["acme"]}


async def test_a_page_saved_by_older_code_gets_its_missing_fields(hub: ManualHub) -> None:
    await hub.set_entity_state("vendor_directory", "0", {})

    listed = await hub.call_entity("vendor_directory", "0", "list_after", "")
    await hub.signal("vendor_directory", "0", "register", "acme")

    assert listed == {"vendors": [], "more": False}
    assert hub.entity_state("vendor_directory", "0") == {"vendors": ["acme"]}


async def test_a_full_page_of_the_directory_accepts_no_new_vendor_and_all_events_of_the_others(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aggregator_directory, "MOST_VENDORS", 3)
    *known, late = [name for n in range(200) if page_of(name := f"v-{n}") == 0][:4]
    for vendor in known:
        await post(hub, "e-1", vendor)

    refused = await post(hub, "e-1", late)
    answers = [await post(hub, f"e-{n}", vendor) for vendor in known for n in range(2, 8)]

    assert problem(refused) == (409, "directory_full")
    assert {answer.status for answer in answers} == {202}
    assert [await counted(hub, vendor) for vendor in known] == [(7, 700)] * 3


async def test_an_event_of_a_known_vendor_reads_no_page_of_the_directory(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page has some 50 KB if there are many vendors."""
    for event in range(20):
        await post(hub, f"e-{event}")
    assert len(shards(hub)) == len(shards_of("acme"))
    read: list[str] = []

    async def noting(client: Any, entity: Any) -> Any:
        read.append(entity.name)
        return await state_of(client, entity)

    monkeypatch.setattr(aggregator, "state_of", noting)
    await post(hub, "e-21")
    await enqueue(hub, an_event("e-22"))

    assert read == ["vendor_total", "vendor_total"]


# What holds whatever goes wrong: `make faults` checks it after each faulty run.


async def invariant_every_accepted_event_counts_once(hub: ManualHub) -> None:
    first: dict[tuple[str, str], int] = {}
    accepted = set()
    for each in sent(hub):
        key = each.content["vendor"], each.content["event"]
        first.setdefault(key, each.content["amount_cents"])
        if each.is_accepted:
            accepted.add(key)
    assert accepted
    for vendor in {vendor for vendor, _ in accepted}:
        states = shards(hub, vendor)
        marks = [mark for state in states for mark in state["seen"]]
        assert len(marks) == len(set(marks)) == sum(state["events"] for state in states)
        counted_ones = {
            event for name, event in first if name == vendor and mark_of(event) in marks
        }
        assert {event for name, event in accepted if name == vendor} <= counted_ones
        assert len(counted_ones) == len(marks)
        amounts = [first[vendor, event] for event in counted_ones]
        assert sum(state["amount_cents"] for state in states) == sum(amounts)
        assert vendor in hub.entity_state("vendor_directory", str(page_of(vendor)))["vendors"]


def mark_of(event: str) -> str:
    """What a shard remembers of an event."""
    return sha256(event.encode()).hexdigest()[:16]
