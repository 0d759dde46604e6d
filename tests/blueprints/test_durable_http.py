"""Durable HTTP: the tax office is polled until it answers; its token is stored nowhere."""

import asyncio
import json
import logging
import os
from datetime import timedelta
from typing import Any

import pytest

from blueprints.durable_http import CALLS_A_GENERATION
from durablehost.app.functions import FunctionTable
from durablehost.testing import HttpRequest, ManualHub, every_crash
from sandbox.tax import TICKET_SECONDS
from tests.faults.judging import completed
from tests.outside import Sandbox

VAT_ID = "DE123456789"
ID = f"tax-check:{VAT_ID}:2026-01-01"
HERE = f"/api/operations/{ID}"
TOKEN = "a-token-that-is-written-nowhere"


async def check(hub: ManualHub, vat_id: str = VAT_ID, within_minutes: int = 60) -> None:
    body = {"vat_id": vat_id, "day": "2026-01-01", "within_minutes": within_minutes}
    started = await hub.request("POST", "/api/tax-checks", json=body)
    assert started.status == 202, started.text


async def failure(hub: ManualHub) -> dict[str, str]:
    """The failure that the operation shows."""
    await hub.run_until_ended(ID)
    shown = (await hub.request("GET", HERE)).json()
    assert shown["runtimeStatus"] == "Failed", shown
    output: dict[str, str] = shown["output"]
    return output


def call_seconds(hub: ManualHub) -> list[float]:
    """When each call was, in seconds from the first."""
    times = [call.at for call in hub.calls(kind="http")]
    return [(time - times[0]).total_seconds() for time in times]


def pauses(hub: ManualHub) -> list[float]:
    seconds = call_seconds(hub)
    return [after - before for before, after in zip(seconds, seconds[1:], strict=False)]


@pytest.mark.parametrize(("vat_id", "valid"), [(VAT_ID, True), ("DE123456780", False)])
async def test_the_office_is_polled_until_it_answers(
    hub: ManualHub, sandbox: Sandbox, vat_id: str, valid: bool
) -> None:
    await check(hub, vat_id)

    ended = await hub.run_until_ended(f"tax-check:{vat_id}:2026-01-01")

    answer = {"vat_id": vat_id, "valid": valid, "reference": "1", "calls": 4}
    assert hub.output(ended.id) == answer
    assert hub.problems() == []


async def test_the_status_says_when_the_next_call_is(hub: ManualHub, sandbox: Sandbox) -> None:
    await sandbox.put("/tax/office", retry_after=90)
    await check(hub)

    waiting = {"step": "waiting", "calls": 1, "trouble": None, "next_call": "2026-01-01T00:01:30Z"}
    assert hub.custom_status(ID) == waiting


# How long to wait


@pytest.mark.parametrize("as_date", [False, True])
@pytest.mark.parametrize(
    ("asked", "pause"), [(0, 2), (2, 2), (7, 7), (600, 600), (601, 600), (10**9, 600)]
)
async def test_retry_after_is_respected_within_limits(
    hub: ManualHub, sandbox: Sandbox, asked: int, pause: int, as_date: bool
) -> None:
    await sandbox.put("/tax/office", retry_after=asked, retry_after_as_date=as_date)
    await check(hub)

    await hub.run_until_ended(ID)

    assert pauses(hub) == [pause] * 3


@pytest.mark.parametrize("said", [None, "", "soon", "-5", "1e3", "Sat, 99 Nov 2026 00:00:00 GMT"])
async def test_without_a_readable_retry_after_the_pauses_grow(
    hub: ManualHub, sandbox: Sandbox, said: str | None
) -> None:
    await sandbox.put("/tax/office", retry_after=said, ready_after_looks=9)
    await check(hub)

    await hub.run_until_ended(ID)

    grown = pauses(hub)
    assert 2 <= grown[0] < grown[1] < grown[2] < grown[3] < grown[4]
    assert 60 <= grown[-1] <= 75


async def test_a_date_in_the_past_does_not_make_it_spin(hub: ManualHub, sandbox: Sandbox) -> None:
    past = "Sat, 01 Jan 2000 00:00:00 GMT"
    await sandbox.put("/tax/office", retry_after=past, ready_after_looks=30)
    await check(hub)

    await hub.run_until_ended(ID)

    assert set(pauses(hub)) == {2}


# Time limits


async def test_a_check_calls_once_more_at_its_deadline(hub: ManualHub, sandbox: Sandbox) -> None:
    await sandbox.put("/tax/office", ready_after_looks=10**6, retry_after=100)
    await check(hub, within_minutes=5)

    said = await failure(hub)

    assert said == {"code": "tax_overdue", "message": "the tax office took over 5 minutes"}
    assert call_seconds(hub) == [0, 100, 200, 300]


@pytest.mark.parametrize(("minutes", "looks"), [(1, 5), (10, 50)], ids=["", "in generations"])
async def test_an_overdue_check_can_be_retried_and_finds_the_same_check_at_the_office(
    hub: ManualHub, sandbox: Sandbox, minutes: int, looks: int
) -> None:
    await sandbox.put("/tax/office", ready_after_looks=looks, retry_after=20)
    await check(hub, within_minutes=minutes)
    assert (await failure(hub))["code"] == "tax_overdue"

    await hub.request("POST", f"{HERE}/retry")
    await hub.run_until_ended(ID)

    assert hub.output(ID)["valid"] is True
    assert (await sandbox.get("/tax/checks"))["checks"] == [VAT_ID]


async def test_the_deadline_and_the_check_are_kept_across_generations(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.put("/tax/office", ready_after_looks=10**6)
    await check(hub, within_minutes=5)

    assert (await failure(hub))["code"] == "tax_overdue"

    assert call_seconds(hub)[-1] == 300
    assert len(call_seconds(hub)) > 7 * CALLS_A_GENERATION
    assert (await sandbox.get("/tax/checks"))["checks"] == [VAT_ID]


async def test_the_history_stays_small_however_long_it_takes(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.put("/tax/office", ready_after_looks=10**6)
    await check(hub, within_minutes=5)

    lengths = []
    for _ in range(298):
        await hub.advance(timedelta(seconds=1))
        lengths.append(len(hub.history(ID)))

    assert hub.status(ID) == "Running"
    assert max(lengths) < 16 * CALLS_A_GENERATION


# Failures, by status


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_temporary_failure_is_retried_with_growing_pauses(
    hub: ManualHub, sandbox: Sandbox, status: int, method: str
) -> None:
    await sandbox.put("/tax/office", ready_after_looks=0)
    await sandbox.fault("tax.checks", method=method, fail_next=4, status=status)
    await check(hub)

    await hub.run_until_ended(ID)

    assert hub.output(ID)["calls"] == 6
    grown = pauses(hub)[1:4] if method == "GET" else pauses(hub)[:3]
    assert 2 <= grown[0] < grown[1] < grown[2] <= 10


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_of_a_failure_is_respected(
    hub: ManualHub, sandbox: Sandbox, status: int
) -> None:
    await sandbox.fault("tax.checks", fail_next=1, status=status, retry_after=45)
    await check(hub)
    assert hub.custom_status(ID)["trouble"] == "tax_unavailable"

    await hub.run_until_ended(ID)

    assert pauses(hub)[0] == 45


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_request_whose_answer_was_lost_starts_no_second_check(
    hub: ManualHub, sandbox: Sandbox, method: str
) -> None:
    await sandbox.fault("tax.checks", method=method, lose_answer_next=3)
    await check(hub)

    await hub.run_until_ended(ID)

    assert hub.output(ID)["valid"] is True
    assert (await sandbox.get("/tax/checks"))["checks"] == [VAT_ID]


async def test_an_office_that_cannot_be_reached_is_called_until_the_deadline(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAX_URL", "http://127.0.0.1:9/tax")
    hub.let_http_through("http://127.0.0.1:9/")
    await check(hub, within_minutes=2)

    said = await failure(hub)

    assert said == {"code": "tax_unavailable", "message": "the tax office gave no answer"}
    assert call_seconds(hub)[-1] == 120


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 422])
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_refusal_fails_the_check_with_the_code_of_the_office(
    hub: ManualHub, sandbox: Sandbox, status: int, method: str
) -> None:
    await sandbox.fault("tax.checks", method=method, fail_next=1, status=status)
    await check(hub)

    assert (await failure(hub))["code"] == "out_of_order"
    assert len(call_seconds(hub)) == (1 if method == "POST" else 2)


@pytest.mark.parametrize(
    "junk", ["", "<html>", "null", "[]", "{}", '{"valid": "yes"}', '{"valid": null}', "\x00" * 99]
)
async def test_an_unreadable_answer_is_requested_again(
    hub: ManualHub, sandbox: Sandbox, junk: str
) -> None:
    await sandbox.put("/tax/office", ready_after_looks=0, answer=junk)
    await check(hub)
    await hub.advance(timedelta(minutes=2))
    assert hub.custom_status(ID)["trouble"] == "tax_unavailable"

    await sandbox.put("/tax/office", ready_after_looks=0)
    await hub.run_until_ended(ID)

    assert hub.output(ID)["valid"] is True


# Where the answer is


async def test_a_location_may_be_a_path(hub: ManualHub, sandbox: Sandbox) -> None:
    await sandbox.put("/tax/office", location="/tax/checks/{id}")
    await check(hub)

    await hub.run_until_ended(ID)

    assert hub.output(ID)["valid"] is True


async def test_an_office_that_sends_no_location_is_asked_again_for_the_same_check(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.put("/tax/office", location=None)
    await check(hub)
    await hub.advance(timedelta(seconds=7))
    assert len(call_seconds(hub)) == 4

    await sandbox.put("/tax/office")
    await hub.run_until_ended(ID)

    assert (await sandbox.get("/tax/checks"))["checks"] == [VAT_ID]


@pytest.mark.parametrize("place", ["http://tax.example/checks/{id}", "//tax.example/", "http://["])
async def test_no_ticket_is_carried_to_another_host(
    hub: ManualHub, sandbox: Sandbox, place: str
) -> None:
    await sandbox.put("/tax/office", location=place)
    await check(hub)

    assert (await failure(hub))["code"] == "tax_misdirected"
    assert len(call_seconds(hub)) == 1


# Tokens and tickets


@pytest.fixture
async def guarded(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """An office that wants a token, which the app has."""
    await sandbox.put("/tax/office", token=TOKEN, ready_after_looks=CALLS_A_GENERATION + 2)
    monkeypatch.setenv("TAX_TOKEN", TOKEN)


async def all_that_is_written(hub: ManualHub) -> str:
    """All of an instance that anybody can read, by the host's API, the app's, or in the storage.

    There, the real host keeps what each activity was given, `call_http` among them.
    """
    host = f"/runtime/webhooks/durabletask/instances/{ID}"
    query = "showHistory=true&showHistoryOutput=true&showInput=true"
    texts = [(await hub.request("GET", f"{host}?{query}")).text]
    texts += [(await hub.request("GET", path)).text for path in (HERE, "/api/operations")]
    given = [call.input for call in hub.calls()]
    return "\n".join([*texts, json.dumps([hub.history(ID), given], default=repr)])


def requests_sent(hub: ManualHub) -> list[HttpRequest]:
    """What `call_http` was given, each time."""
    return [call.input for call in hub.calls(kind="http")]


@pytest.mark.usefixtures("guarded")
async def test_the_token_is_in_no_history_no_status_and_no_log(
    hub: ManualHub, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await check(hub)
    written = [await all_that_is_written(hub)]
    while hub.status(ID) == "Running":
        await hub.advance(timedelta(seconds=2))
        written.append(await all_that_is_written(hub))

    assert hub.output(ID)["valid"] is True
    assert TOKEN not in "\n".join([*written, caplog.text])
    # What is sent as a header is written: a ticket, and of no use to whoever reads it.
    assert all("Bearer ticket-" in text for text in written)


@pytest.mark.usefixtures("guarded")
async def test_no_ticket_in_the_history_can_be_used_again(hub: ManualHub, sandbox: Sandbox) -> None:
    await check(hub)
    await hub.advance(timedelta(seconds=10))

    requests = requests_sent(hub)
    assert len(requests) == 6
    for request in requests:
        with pytest.raises(AssertionError, match="token_missing"):
            await sandbox.send("GET", "/tax/checks/1", headers=request.headers)


@pytest.mark.usefixtures("guarded")
async def test_an_expired_ticket_is_replaced(hub: ManualHub, sandbox: Sandbox) -> None:
    await sandbox.put("/tax/office", token=TOKEN)
    bought: list[dict[str, Any]] = []

    async def buy(_: object) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        body = {"vat_id": VAT_ID}
        bought.append(await sandbox.send("POST", "/tax/tickets", body, headers))
        if len(bought) == 2:
            hub.clock.move_to(hub.clock.now() + timedelta(seconds=TICKET_SECONDS + 1))
        return {"url": os.environ["TAX_URL"], "resource": None, "ticket": bought[-1]["ticket"]}

    hub.replace_activity("obtain_tax_access", buy)
    await check(hub)
    await hub.run_until_ended(ID)

    assert (hub.output(ID)["valid"], hub.output(ID)["calls"]) == (True, 5)


@pytest.mark.usefixtures("guarded")
async def test_a_check_fails_after_three_refused_tickets(hub: ManualHub, sandbox: Sandbox) -> None:
    await sandbox.fault("tax.checks", fail_next=1000, status=401)
    await check(hub)

    assert (await failure(hub))["code"] == "out_of_order"
    assert len(call_seconds(hub)) == 3


async def test_a_token_that_the_office_does_not_know_fails_the_check(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sandbox.put("/tax/office", token=TOKEN)
    monkeypatch.setenv("TAX_TOKEN", "another")
    await check(hub)

    assert (await failure(hub))["code"] == "token_missing"
    assert call_seconds(hub) == []


async def test_a_missing_token_fails_the_check_at_once(hub: ManualHub, sandbox: Sandbox) -> None:
    await sandbox.put("/tax/office", token=TOKEN)
    await check(hub)

    assert (await failure(hub))["code"] == "token_missing"
    assert len(call_seconds(hub)) == 1


@pytest.mark.usefixtures("guarded")
async def test_an_outage_while_a_ticket_is_bought_delays_the_check(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("tax.tickets", fail_next=6)
    await check(hub)

    await hub.run_until_ended(ID)

    assert hub.output(ID)["valid"] is True


async def test_with_a_resource_the_host_gets_the_token(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAX_RESOURCE", "api://tax-office")
    await check(hub)

    [request] = requests_sent(hub)
    assert request.token_resource == "api://tax-office"
    assert "Authorization" not in request.headers


# One check for each number and day


async def test_concurrent_requests_start_one_check(hub: ManualHub, sandbox: Sandbox) -> None:
    body = {"vat_id": VAT_ID, "day": "2026-01-01"}
    asked = [hub.request("POST", "/api/tax-checks", json=body) for _ in range(20)]
    answers = await asyncio.gather(*asked)
    await hub.run_until_ended(ID)
    again = await hub.request("POST", "/api/tax-checks", json=body)

    assert {answer.status for answer in answers} == {202}
    assert again.status == 200
    assert (await sandbox.get("/tax/checks"))["checks"] == [VAT_ID]


async def test_a_different_time_limit_is_a_conflict_in_every_generation(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.put("/tax/office", ready_after_looks=10**6)
    await check(hub)

    for _ in range(3):
        other = {"vat_id": VAT_ID, "day": "2026-01-01", "within_minutes": 1}
        answer = await hub.request("POST", "/api/tax-checks", json=other)
        assert (answer.status, answer.json()["code"]) == (409, "other_work")
        await hub.advance(timedelta(seconds=2 * CALLS_A_GENERATION))


async def test_another_day_is_another_check(hub: ManualHub, sandbox: Sandbox) -> None:
    for day in ("2026-01-01", "2026-01-02"):
        body = {"vat_id": VAT_ID, "day": day}
        assert (await hub.request("POST", "/api/tax-checks", json=body)).status == 202
        await hub.run_until_ended(f"tax-check:{VAT_ID}:{day}")

    assert (await sandbox.get("/tax/checks"))["checks"] == [VAT_ID, VAT_ID]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"vat_id": None}, "vat_id"),
        ({"vat_id": "de123456789"}, "vat_id"),
        ({"vat_id": "DE1"}, "vat_id"),
        ({"vat_id": "DE" + "1" * 14}, "vat_id"),
        ({"vat_id": "DE12/../34"}, "vat_id"),
        ({"day": "2026-02-30"}, "day"),
        ({"day": 20260101}, "day"),
        ({"day": "1767225600"}, "day"),
        ({"within_minutes": 0}, "within_minutes"),
        ({"within_minutes": 1441}, "within_minutes"),
        ({"token": "x"}, "token"),
    ],
)
async def test_an_invalid_body_names_the_field_and_starts_nothing(
    hub: ManualHub, changed: dict[str, Any], field: str
) -> None:
    body = {"vat_id": VAT_ID, "day": "2026-01-01", **changed}
    answer = await hub.request("POST", "/api/tax-checks", json=body)

    assert answer.status == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert hub.instances() == []


# Whatever happens in between


async def test_a_cancelled_check_makes_no_more_calls(hub: ManualHub, sandbox: Sandbox) -> None:
    await sandbox.put("/tax/office", ready_after_looks=10**6)
    await check(hub)
    await hub.advance(timedelta(seconds=2 * CALLS_A_GENERATION + 5))
    calls = len(call_seconds(hub))

    await hub.request("POST", f"{HERE}/cancel?reason=mistyped")
    await hub.advance(timedelta(hours=1))

    assert (hub.status(ID), hub.output(ID)) == ("Terminated", "mistyped")
    assert len(call_seconds(hub)) == calls


@pytest.mark.parametrize("token", ["", TOKEN])
async def test_a_crash_between_any_two_steps_changes_nothing(
    durable_app: FunctionTable, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("TAX_TOKEN", token)

    async def run(hub: ManualHub) -> None:
        hub.let_http_through(os.environ["TAX_URL"])
        await sandbox.reset()
        await sandbox.put("/tax/office", token=token or None, ready_after_looks=3)
        await check(hub)
        await hub.run_until_ended(ID)

    async for hub in every_crash(durable_app, run):
        await hub.run_until_ended(ID)

        assert hub.output(ID)["valid"] is True
        assert (await sandbox.get("/tax/checks"))["checks"] == [VAT_ID]
        assert hub.problems(ID) == []


# What holds whatever goes wrong: `make faults` checks it after each faulty run.


async def invariant_a_check_that_completes_says_what_the_tax_office_said(hub: ManualHub) -> None:
    for check in completed(hub, "tax_check"):
        assert isinstance(check.output["valid"], bool)
        assert check.output["reference"] not in ("", "None")
