"""Entity: counts add up, numbers have no gap, and what a counter cannot do changes nothing."""

import asyncio
import json
import random
from typing import Any

import pytest

from blueprints.entity_counter import LIMIT, counter
from durablehost.app.functions import FunctionTable
from durablehost.testing import Answer, ManualHub, every_crash

VISITS = "/api/counters/visits"
ID = "number:invoices-2026:INV-1"


async def add(hub: ManualHub, amount: Any, path: str = VISITS) -> Answer:
    return await hub.request("POST", path, json={"amount": amount})


async def value(hub: ManualHub, path: str = VISITS) -> int:
    answer = await hub.request("GET", path)
    assert answer.status == 200, answer.text
    shown: int = answer.json()["value"]
    return shown


async def draw(hub: ManualHub, document: str, key: str = "invoices-2026") -> Answer:
    return await hub.request("POST", f"/api/counters/{key}/numbers", json={"document": document})


def number(hub: ManualHub, document: str, key: str = "invoices-2026") -> int:
    drawn: int = hub.output(f"number:{key}:{document}")["number"]
    return drawn


def problem(answer: Answer) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status, answer.json()["code"]


# Counting


async def test_what_is_added_is_there_to_be_read(hub: ManualHub) -> None:
    first = await add(hub, 5)
    await add(hub, 2)

    shown = await hub.request("GET", VISITS)

    assert (first.status, first.headers["Location"][-len(VISITS) :]) == (202, VISITS)
    assert first.json()["statusQueryGetUri"] == first.headers["Location"]
    assert shown.json() == {"key": "visits", "value": 7, "drawn": 0}


async def test_each_key_has_a_counter_of_its_own(hub: ManualHub) -> None:
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


async def test_a_thousand_adds_at_once_add_up(hub: ManualHub) -> None:
    amounts = [random.Random(7).randint(1, 100) for _ in range(1000)]

    answers = await asyncio.gather(*(add(hub, amount) for amount in amounts))

    assert {answer.status for answer in answers} == {202}
    assert await value(hub) == sum(amounts)


@pytest.mark.parametrize("path", ["", "/reset"])
async def test_a_counter_that_never_was_is_unknown(hub: ManualHub, path: str) -> None:
    answer = await hub.request("POST" if path else "GET", f"{VISITS}{path}")

    assert problem(answer) == (404, "unknown_counter")
    assert hub.instances() == []


@pytest.mark.parametrize("key", ["a:b", "a%20b", "@a", "-a", "a" * 65, "é", "..%2Fb"])
@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", ""), ("POST", "/numbers")])
async def test_a_key_that_no_counter_can_have_is_unknown(
    hub: ManualHub, key: str, method: str, path: str
) -> None:
    body = {"amount": 1} if not path else {"document": "INV-1"}

    answer = await hub.request(method, f"/api/counters/{key}{path}", json=body)

    assert problem(answer) == (404, "unknown_counter")
    assert hub.instances() == []


# What a counter cannot do


@pytest.mark.parametrize(
    "body",
    [{}, [], "5", {"amount": 0}, {"amount": -1}, {"amount": 1.5}, {"amount": "5"}, {"amount": True}]
    + [{"amount": LIMIT + 1}, {"amount": None}, {"amount": 1, "twice": True}],
)
async def test_an_amount_that_is_not_right_adds_nothing(hub: ManualHub, body: Any) -> None:
    await add(hub, 5)

    answer = await hub.request("POST", VISITS, json=body)

    assert problem(answer) == (422, "invalid_body")
    assert await value(hub) == 5


async def test_a_full_counter_takes_no_more(hub: ManualHub) -> None:
    await add(hub, LIMIT)

    assert problem(await add(hub, 1)) == (409, "counter_full")
    assert await value(hub) == LIMIT


@pytest.mark.parametrize("path", ["", "/reset"])
async def test_a_counter_of_numbers_is_neither_added_to_nor_reset(
    hub: ManualHub, path: str
) -> None:
    await draw(hub, "INV-1")

    refused = await hub.request("POST", f"/api/counters/invoices-2026{path}", json={"amount": 3})
    await draw(hub, "INV-2")

    assert problem(refused) == (409, "numbers_drawn")
    assert number(hub, "INV-2") == 2


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
async def test_a_signal_that_is_not_right_changes_nothing_in_the_entity_itself(
    hub: ManualHub, operation: str, data: Any
) -> None:
    await add(hub, 5)

    await hub.signal("counter", "visits", operation, data)

    assert hub.entity_state("counter", "visits") == {"value": 5, "drawn": 0}


def test_operations_that_arrive_together_fail_each_for_itself() -> None:
    """As the host hands them over: all that wait at once, each input as text in text."""
    operations = [("add", {"amount": 3}), ("add", {"amount": 0}), ("draw", None), ("reset", None)]
    batch = [{"name": name, "input": json.dumps(json.dumps(data))} for name, data in operations]
    context = {"self": {"name": "counter", "key": "visits"}, "exists": False, "state": None}
    operate = counter.build().get_user_function()

    done = json.loads(operate(json.dumps(context | {"batch": batch})))

    assert [result["isError"] for result in done["results"]] == [False, True, False, True]
    assert [json.loads(result["result"]) for result in done["results"][::2]] == [3, 4]
    assert json.loads(done["entityState"]) == {"value": 4, "drawn": 1}


@pytest.mark.allow_problems("unreadable-signal")
async def test_what_was_accepted_and_cannot_be_done_any_more_does_not_happen(
    hub: ManualHub,
) -> None:
    await add(hub, 5)
    for operation, data in (("draw", None), ("add", {"amount": 3}), ("reset", None)):
        await hub.signal("counter", "visits", operation, data)

    assert hub.entity_state("counter", "visits") == {"value": 6, "drawn": 1}


# Document numbers


async def test_documents_get_numbers_from_one_up_and_the_log_no_warnings(
    hub: ManualHub, caplog: pytest.LogCaptureFixture
) -> None:
    for document in ("INV-1", "INV-2", "CN-1"):
        assert (await draw(hub, document)).status == 202

    assert [number(hub, document) for document in ("INV-1", "INV-2", "CN-1")] == [1, 2, 3]
    assert hub.output(ID) == {"document": "INV-1", "number": 1}
    assert hub.custom_status(ID) == {"step": "drawn", "done": 1, "of": 1}
    assert caplog.messages == []  # the SDK warns where a call of an entity names another type


async def test_numbers_go_on_from_where_a_counter_was_set(hub: ManualHub) -> None:
    await add(hub, 2000, "/api/counters/invoices-2026")

    await draw(hub, "INV-1")

    assert number(hub, "INV-1") == 2001


async def test_a_document_has_one_number_however_often_it_is_asked_for(hub: ManualHub) -> None:
    await draw(hub, "INV-1")

    again = [await draw(hub, "INV-1") for _ in range(3)]
    await draw(hub, "INV-2")

    assert {answer.status for answer in again} == {200}
    assert (number(hub, "INV-1"), number(hub, "INV-2")) == (1, 2)


async def test_many_at_once_get_each_a_number_and_leave_no_gap(hub: ManualHub) -> None:
    documents = [f"INV-{n}" for n in range(50)] * 3

    await asyncio.gather(*(draw(hub, document) for document in documents))

    drawn = sorted(number(hub, document) for document in set(documents))
    assert drawn == list(range(1, 51))
    assert hub.entity_state("counter", "invoices-2026") == {"value": 50, "drawn": 50}


async def test_a_full_counter_gives_no_number_and_says_so(hub: ManualHub) -> None:
    await add(hub, LIMIT, "/api/counters/invoices-2026")

    await draw(hub, "INV-1")

    shown = (await hub.request("GET", f"/api/operations/{ID}")).json()
    assert (shown["runtimeStatus"], shown["output"]["code"]) == ("Failed", "counter_full")
    assert hub.entity_state("counter", "invoices-2026") == {"value": LIMIT, "drawn": 0}


async def test_a_crash_between_any_two_steps_leaves_no_gap(durable_app: FunctionTable) -> None:
    async def run(hub: ManualHub) -> None:
        await draw(hub, "INV-1")
        await draw(hub, "INV-2")

    async for hub in every_crash(durable_app, run):
        await hub.run_until_idle()
        for document in ("INV-1", "INV-2", "INV-3"):
            await draw(hub, document)

        drawn = [number(hub, document) for document in ("INV-1", "INV-2", "INV-3")]
        assert drawn == [1, 2, 3]
        assert hub.problems() == []


async def test_a_cancel_does_not_cut_a_draw_off_and_leave_a_gap(durable_app: FunctionTable) -> None:
    async def run(hub: ManualHub) -> None:
        await draw(hub, "INV-1")

    refused = 0
    async for hub in every_crash(durable_app, run):
        answer = await hub.request("POST", f"/api/operations/{ID}/cancel")
        assert answer.status in (404, 409, 410)
        refused += answer.status == 409
        await draw(hub, "INV-1")
        await draw(hub, "INV-2")

        assert (number(hub, "INV-1"), number(hub, "INV-2")) == (1, 2)
    assert refused


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "document"), ({"document": "a/b"}, "document"), ({"document": "a", "n": 1}, "n")],
)
async def test_a_body_that_is_not_right_names_the_field_and_draws_nothing(
    hub: ManualHub, body: dict[str, Any], field: str
) -> None:
    answer = await hub.request("POST", "/api/counters/invoices-2026/numbers", json=body)

    assert answer.status == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert hub.instances() == []


# Entities are instances, too, and none that callers started


async def test_a_list_of_operations_leaves_entities_out(hub: ManualHub) -> None:
    for n in range(5):
        await add(hub, 1, f"/api/counters/visits-{n}")
        await draw(hub, f"INV-{n}")
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
async def test_an_entity_is_no_operation(hub: ManualHub, method: str, path: str) -> None:
    await add(hub, 5)

    answer = await hub.request(method, f"/api/operations/@counter@visits{path}")

    assert problem(answer) == (404, "unknown_operation")
    assert await value(hub) == 5
