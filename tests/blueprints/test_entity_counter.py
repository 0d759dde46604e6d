"""Counters: concurrent additions add up, and a change that a counter refuses has no effect."""

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator, Callable
from typing import Any
from weakref import WeakKeyDictionary

import azure.durable_functions as df
import pytest

from blueprints.entity_counter import LIMIT, counter
from durablehost.app.loading import index_app
from durablehost.testing import Answer, ManualHub
from tests.source import ROOT

VISITS = "/api/counters/visits"


# The additions that a hub has been sent, and whether it has accepted them.
_sent: WeakKeyDictionary[ManualHub, list[tuple[str, int, bool]]] = WeakKeyDictionary()


async def add(hub: ManualHub, amount: Any, path: str = VISITS) -> Answer:
    is_accepted = False
    try:
        answer = await hub.request("POST", path, json={"amount": amount})
        is_accepted = answer.status == 202
    finally:
        _sent.setdefault(hub, []).append((path.rpartition("/")[2], amount, is_accepted))
    return answer


async def value(hub: ManualHub, path: str = VISITS) -> int:
    answer = await hub.request("GET", path)
    assert answer.status == 200, answer.text
    shown: int = answer.json()["value"]
    return shown


def problem(answer: Answer) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status, answer.json()["code"]


# Counting


async def test_additions_can_be_read(hub: ManualHub) -> None:
    first = await add(hub, 5)
    await add(hub, 2)

    shown = await hub.request("GET", VISITS)

    assert (first.status, first.headers["Location"][-len(VISITS) :]) == (202, VISITS)
    assert first.json()["statusQueryGetUri"] == first.headers["Location"]
    assert shown.json() == {"key": "visits", "value": 7}


async def test_each_key_has_its_own_counter(hub: ManualHub) -> None:
    for key, amount in (("a", 1), ("b", 2), ("A", 4)):
        await add(hub, amount, f"/api/counters/{key}")

    values = [await value(hub, f"/api/counters/{key}") for key in ("a", "b", "A")]

    assert values == [1, 2, 4]


async def test_a_reset_counter_begins_at_zero(hub: ManualHub) -> None:
    await add(hub, 5)

    answer = await hub.request("POST", f"{VISITS}/reset")

    assert (answer.status, await value(hub)) == (202, 0)
    await add(hub, 3)
    assert await value(hub) == 3


async def test_a_thousand_concurrent_additions_add_up(hub: ManualHub) -> None:
    amounts = [random.Random(7).randint(1, 100) for _ in range(1000)]

    answers = await asyncio.gather(*(add(hub, amount) for amount in amounts))

    assert {answer.status for answer in answers} == {202}
    assert await value(hub) == sum(amounts)


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/reset"), ("DELETE", "")])
async def test_a_counter_that_never_existed_is_unknown(
    hub: ManualHub, method: str, path: str
) -> None:
    answer = await hub.request(method, f"{VISITS}{path}")

    assert problem(answer) == (404, "unknown_counter")
    assert hub.instances() == []


async def test_a_deleted_counter_is_unknown_until_something_is_added(hub: ManualHub) -> None:
    await add(hub, 5)

    deleted = await hub.request("DELETE", VISITS)
    unknown = [await hub.request(method, VISITS) for method in ("GET", "DELETE")]
    await add(hub, 2)

    assert deleted.status == 202
    assert [problem(answer) for answer in unknown] == [(404, "unknown_counter")] * 2
    assert await value(hub) == 2


@pytest.mark.parametrize("key", ["a:b", "a%20b", "@a", "-a", "a" * 65, "é", "..%2Fb"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_key_that_no_counter_can_have_is_unknown(
    hub: ManualHub, key: str, method: str
) -> None:
    answer = await hub.request(method, f"/api/counters/{key}", json={"amount": 1})

    assert problem(answer) == (404, "unknown_counter")
    assert hub.instances() == []


# What a counter cannot do


@pytest.mark.parametrize(
    "body",
    [{}, [], "5", {"amount": 0}, {"amount": -1}, {"amount": 1.5}, {"amount": "5"}, {"amount": True}]
    + [{"amount": LIMIT + 1}, {"amount": None}, {"amount": 1, "twice": True}],
)
async def test_an_invalid_amount_adds_nothing(hub: ManualHub, body: Any) -> None:
    await add(hub, 5)

    answer = await hub.request("POST", VISITS, json=body)

    assert problem(answer) == (422, "invalid_body")
    assert await value(hub) == 5


async def test_a_full_counter_takes_no_more(hub: ManualHub) -> None:
    await add(hub, LIMIT)

    assert problem(await add(hub, 1)) == (409, "counter_full")
    assert await value(hub) == LIMIT


@pytest.mark.allow_problems("unreadable-signal")
@pytest.mark.parametrize(
    ("operation", "data"),
    [
        ("add", None),
        ("add", 5),
        ("add", "5"),
        ("add", []),
        ("add", {}),
        ("add", {"amount": 0}),
        ("add", {"amount": "5"}),
        ("add", {"amount": LIMIT}),
        ("add", {"amount": 5, "twice": True}),
        ("subtract", {"amount": 5}),
        ("ADD", {"amount": 5}),
        ("", None),
    ],
)
async def test_an_invalid_signal_changes_nothing(hub: ManualHub, operation: str, data: Any) -> None:
    await add(hub, 5)

    await hub.signal("counter", "visits", operation, data)

    assert hub.entity_state("counter", "visits") == {"value": 5}


def run_batch(state: object, *operations: tuple[str, object]) -> Any:
    """Run operations as the host hands them over: together, each input as text in text."""
    batch = [{"name": name, "input": json.dumps(json.dumps(data))} for name, data in operations]
    context = {"self": {"name": "counter", "key": "visits"}, "exists": state is not None}
    state_text = None if state is None else json.dumps(state)
    run = counter.build().get_user_function()
    return json.loads(run(json.dumps(context | {"state": state_text, "batch": batch})))


def test_each_operation_of_a_batch_fails_by_itself() -> None:
    done = run_batch(
        None, ("add", {"amount": 3}), ("add", {"amount": 0}), ("add", {"amount": 1}), ("dance", 1)
    )

    assert [result["isError"] for result in done["results"]] == [False, True, False, True]
    assert [json.loads(result["result"]) for result in done["results"][::2]] == [3, 4]
    assert json.loads(done["entityState"]) == {"value": 4}


def test_a_counter_is_deleted_and_created_anew_within_one_batch() -> None:
    done = run_batch({"value": 7}, ("delete", None), ("add", {"amount": 1}))

    assert [result["isError"] for result in done["results"]] == [False, False]
    assert json.loads(done["entityState"]) == {"value": 1}


def test_a_state_saved_by_older_code_gets_its_missing_fields() -> None:
    done = run_batch({}, ("add", {"amount": 3}))

    assert json.loads(done["entityState"]) == {"value": 3}


@pytest.mark.allow_problems("unreadable-signal")
async def test_the_counter_itself_refuses_an_addition_that_no_longer_fits(hub: ManualHub) -> None:
    for amount in (LIMIT - 1, 2):
        await hub.signal("counter", "visits", "add", {"amount": amount})

    assert await value(hub) == LIMIT - 1


# Entities are instances, too, but not operations that callers started


async def test_a_list_of_operations_leaves_entities_out(hub: ManualHub) -> None:
    for n in range(5):
        await add(hub, 1, f"/api/counters/visits-{n}")
        await hub.request("POST", "/api/numbers/invoices-2026", json={"document": f"INV-{n}"})
    assert any(instance.id.startswith("@") for instance in hub.instances())

    seen, after = [], ""
    while True:
        answer = await hub.request("GET", f"/api/operations?top=2{after}")
        page = answer.json()
        seen += [operation["instanceId"] for operation in page["operations"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"

    assert seen == [f"number:invoices-2026:INV-{n}" for n in range(5)]


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/cancel"), ("DELETE", "")])
async def test_the_id_of_an_entity_is_not_an_operation(
    hub: ManualHub, method: str, path: str
) -> None:
    await add(hub, 5)

    answer = await hub.request(method, f"/api/operations/@counter@visits{path}")

    assert problem(answer) == (404, "unknown_operation")
    assert await value(hub) == 5


# The lease on the page


@pytest.fixture
async def lease() -> AsyncIterator[Callable[..., Any]]:
    """Call the entity that the page shows."""
    page = (ROOT / "docs" / "patterns" / "entity_counter.md").read_text("utf-8")
    [shown] = re.findall(r"^```python\n(@app\.entity_trigger.*?)^```", page, re.M | re.S)
    app = df.DFApp()
    exec(shown, {"app": app, "df": df})

    async with ManualHub(index_app(app)) as hub:

        async def call(operation: str, by: str, now: str = "09:00", until: str = "10:00") -> Any:
            return await hub.call_entity(
                "lease", "books", operation, {"by": by, "now": now, "until": until}
            )

        yield call


async def test_a_lease_has_one_holder_until_it_is_released(lease: Callable[..., Any]) -> None:
    first, again, other = [await lease("acquire", by) for by in ("a", "a", "b")]
    await lease("release", "b")
    still = await lease("acquire", "b")
    await lease("release", "a")

    assert (first, again, other, still) == (True, True, False, False)
    assert await lease("acquire", "b") is True


async def test_a_lease_that_expired_can_be_acquired(lease: Callable[..., Any]) -> None:
    await lease("acquire", "a", until="10:00")

    early = await lease("acquire", "b", now="09:59", until="11:00")
    late = await lease("acquire", "b", now="10:00", until="11:00")

    assert (early, late) == (False, True)


# What holds whatever goes wrong: `make faults` checks it after each faulty run.


async def invariant_a_counter_holds_the_additions_that_were_accepted(hub: ManualHub) -> None:
    sent = _sent.get(hub, [])
    assert sent
    for key in {key for key, _, _ in sent}:
        accepted = sum(amount for name, amount, is_accepted in sent if name == key and is_accepted)
        at_most = sum(amount for name, amount, _ in sent if name == key)
        assert accepted <= hub.entity_state("counter", key)["value"] <= min(at_most, LIMIT)
