"""Document numbers: each document gets one number, and a series has no gap."""

import asyncio
import json
from typing import Any

import pytest

from blueprints import entity_counter_numbers
from durablehost.app.functions import FunctionTable
from durablehost.testing import Answer, ManualHub, every_crash
from tests.faults.judging import completed

ID = "number:invoices-2026:INV-1"


async def draw(hub: ManualHub, document: str, series: str = "invoices-2026") -> Answer:
    return await hub.request("POST", f"/api/numbers/{series}", json={"document": document})


def number(hub: ManualHub, document: str, series: str = "invoices-2026") -> int:
    drawn: int = hub.output(f"number:{series}:{document}")["number"]
    return drawn


async def test_documents_get_numbers_from_one_up_and_the_log_no_warnings(
    hub: ManualHub, caplog: pytest.LogCaptureFixture
) -> None:
    for document in ("INV-1", "INV-2", "CN-1"):
        assert (await draw(hub, document)).status == 202

    assert [number(hub, document) for document in ("INV-1", "INV-2", "CN-1")] == [1, 2, 3]
    assert hub.output(ID) == {"document": "INV-1", "number": 1}
    assert hub.custom_status(ID) == {"step": "drawn", "done": 1, "of": 1}
    assert caplog.messages == []  # the SDK warns where a call of an entity names another type


async def test_a_document_has_one_number_however_often_it_is_asked_for(hub: ManualHub) -> None:
    await draw(hub, "INV-1")

    again = [await draw(hub, "INV-1") for _ in range(3)]
    await draw(hub, "INV-2")

    assert {answer.status for answer in again} == {200}
    assert (number(hub, "INV-1"), number(hub, "INV-2")) == (1, 2)


async def test_concurrent_documents_get_numbers_without_a_gap(hub: ManualHub) -> None:
    documents = [f"INV-{n}" for n in range(50)] * 3

    await asyncio.gather(*(draw(hub, document) for document in documents))

    drawn = sorted(number(hub, document) for document in set(documents))
    assert drawn == list(range(1, 51))
    assert hub.entity_state("number_series", "invoices-2026") == {"last": 50}


async def test_a_full_series_gives_no_number_and_says_so(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entity_counter_numbers, "LAST", 1)
    await draw(hub, "INV-0")

    await draw(hub, "INV-1")

    shown = (await hub.request("GET", f"/api/operations/{ID}")).json()
    assert (shown["runtimeStatus"], shown["output"]["code"]) == ("Failed", "series_full")
    assert hub.entity_state("number_series", "invoices-2026") == {"last": 1}


def test_a_state_saved_by_older_code_gets_its_missing_fields() -> None:
    run = entity_counter_numbers.number_series.build().get_user_function()
    context = {"self": {"name": "number_series", "key": "a"}, "exists": True, "state": "{}"}

    done = json.loads(run(json.dumps(context | {"batch": [{"name": "draw", "input": None}]})))

    assert json.loads(done["entityState"]) == {"last": 1}


@pytest.mark.parametrize("series", ["a:b", "@a", "a" * 65])
async def test_a_series_that_cannot_exist_is_unknown(hub: ManualHub, series: str) -> None:
    answer = await draw(hub, "INV-1", series)

    assert (answer.status, answer.json()["code"]) == (404, "unknown_series")
    assert hub.instances() == []


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
async def test_an_invalid_body_names_the_field_and_draws_nothing(
    hub: ManualHub, body: dict[str, Any], field: str
) -> None:
    answer = await hub.request("POST", "/api/numbers/invoices-2026", json=body)

    assert answer.status == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert hub.instances() == []


# What holds whatever goes wrong: `make faults` checks it after each faulty run.


async def invariant_no_number_is_given_twice(hub: ManualHub) -> None:
    drawn = [each.output["number"] for each in completed(hub, "document_number")]
    assert len(drawn) == len(set(drawn))
