"""Resilience: rates are found although partners fail, and a partner that is down is not called."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from activities.clock import time_text
from activities.rates import ask_for_rate
from blueprints.resilience import PATIENCE
from durablehost.app.functions import FunctionTable
from durablehost.testing import Answer, ManualHub, every_crash
from orchestration.breaking import FAILURES, OPEN_FOR, PROBE_WITHIN
from orchestration.failures import Failure
from tests.faults.judging import completed
from tests.outside import Sandbox

DAY = "2026-01-01"
ID = f"rates:{DAY}:GBP-USD"
DEALT = {"currency": "USD", "per_euro": 1.0842, "partner": "rates"}
PUBLISHED = {"currency": "USD", "per_euro": 1.08, "partner": "centralbank"}
MANY = ["CHF", "GBP", "JPY", "NOK", "USD"]


async def ask(hub: ManualHub, *currencies: str, date: str = DAY) -> Answer:
    return await hub.request("POST", "/api/rates", json={"date": date, "currencies": currencies})


async def output(hub: ManualHub, *currencies: str) -> Any:
    """Ask for some currencies and return the output."""
    started = await ask(hub, *currencies)
    assert started.status in (200, 202), started.text
    instance_id = started.json()["id"]
    await hub.run_until_ended(instance_id)
    return (await hub.request("GET", f"/api/operations/{instance_id}")).json()["output"]


async def breaker(hub: ManualHub, key: str = "rates") -> Any:
    answer = await hub.request("GET", f"/api/breakers/{key}")
    assert answer.status == 200, answer.text
    return answer.json()


async def open_breaker(hub: ManualHub, sandbox: Sandbox) -> None:
    """Let the first partner fail until its breaker opens; afterwards it works again."""
    await sandbox.fault("rates", fail_next=FAILURES)
    await output(hub, *MANY)
    assert (await breaker(hub))["state"] == "open"


def asked(hub: ManualHub, partner: str) -> list[str]:
    calls = hub.calls("ask_for_rate")
    return [call.input["currency"] for call in calls if call.input["partner"] == partner]


async def test_the_rates_of_a_day_are_found_and_the_log_has_no_warnings(
    hub: ManualHub, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    found = await output(hub, "USD", "GBP")

    assert found["date"] == DAY
    assert found["rates"] == [{"currency": "GBP", "per_euro": 0.8365, "partner": "rates"}, DEALT]
    assert found["failures"] == []
    assert asked(hub, "centralbank") == []
    assert caplog.messages == []


async def test_an_unknown_currency_does_not_stop_the_others(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    found = await output(hub, "USD", "XXX")

    [missing] = found["failures"]
    assert found["rates"] == [DEALT]
    assert (missing["currency"], missing["code"]) == ("XXX", "currency_unknown")
    assert asked(hub, "rates") == ["USD", "XXX"]


async def test_a_currency_that_one_partner_does_not_know_is_found_at_the_other(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    found = await output(hub, "NOK", "SEK")

    assert [rate["partner"] for rate in found["rates"]] == ["centralbank", "rates"]


async def test_a_search_that_finds_no_rate_fails_and_can_be_retried(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("rates", fail_next=1000)
    await sandbox.fault("centralbank", fail_next=1000)
    failed = await output(hub, "GBP", "USD")

    await sandbox.mend()
    await hub.advance(OPEN_FOR)
    again = await hub.request("POST", f"/api/operations/{ID}/retry")
    await hub.run_until_ended(ID)

    assert failed["code"] == "no_rates_found"
    assert "GBP: " in failed["message"]
    assert again.status == 202
    assert len(hub.output(ID)["rates"]) == 2


async def test_a_day_in_the_future_has_no_rates(hub: ManualHub, sandbox: Sandbox) -> None:
    started = await ask(hub, "USD", date="2026-01-02")

    shown = await hub.request("GET", f"/api/operations/{started.json()['id']}")

    assert "USD: no_rate_yet" in shown.json()["output"]["message"]
    assert len(hub.calls("ask_for_rate")) == 2


async def test_the_second_partner_is_asked_at_once_if_the_first_fails(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("rates", fail_next=1)
    before = hub.clock.now()

    found = await output(hub, "USD")

    assert found["rates"] == [PUBLISHED]
    assert hub.clock.now() == before


async def test_both_partners_are_asked_again_if_both_fail(hub: ManualHub, sandbox: Sandbox) -> None:
    await sandbox.fault("rates", fail_next=2)
    await sandbox.fault("centralbank", fail_next=2)

    found = await output(hub, "USD")

    assert found["rates"] == [DEALT]
    assert [len(asked(hub, partner)) for partner in ("rates", "centralbank")] == [3, 2]


async def test_a_refusal_of_both_partners_is_not_retried(hub: ManualHub, sandbox: Sandbox) -> None:
    await output(hub, "XXX")

    assert (asked(hub, "rates"), asked(hub, "centralbank")) == (["XXX"], ["XXX"])


def slow_partner(hub: ManualHub, end: Any) -> dict[str, Any]:
    """Let time pass while the first partner is asked; return what was seen before it answered."""
    seen: dict[str, Any] = {}
    real = ask_for_rate.build().get_user_function()

    async def slow(order: Any) -> Any:
        if order["partner"] != "rates":
            return await real(order)
        await hub.advance(PATIENCE + timedelta(seconds=1))
        [child] = [one for one in hub.instances() if one.name == "currency_rate"]
        seen["status"] = child.status
        seen["asked"] = asked(hub, "centralbank")
        return end()

    hub.replace_activity("ask_for_rate", slow)
    return seen


async def test_the_second_partner_is_asked_if_the_first_is_slow(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    seen = slow_partner(hub, lambda: DEALT)

    found = await output(hub, "USD")

    assert seen["asked"] == ["USD"]
    assert found["rates"] == [PUBLISHED]
    assert (await breaker(hub))["failures"] == 1


async def test_a_slow_call_keeps_its_instance_running_until_it_ends(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    def fail() -> None:
        raise Failure("rates_unavailable", "the rates gave no answer", retriable=True)

    seen = slow_partner(hub, fail)

    found = await output(hub, "USD")

    assert seen["status"] == "Running"
    assert found["rates"] == [PUBLISHED]


async def test_a_partner_that_keeps_failing_is_not_called(hub: ManualHub, sandbox: Sandbox) -> None:
    await open_breaker(hub, sandbox)

    found = await output(hub, "USD")

    assert found["rates"] == [PUBLISHED]
    assert len(asked(hub, "rates")) == FAILURES


async def test_after_the_pause_one_of_many_callers_probes(hub: ManualHub, sandbox: Sandbox) -> None:
    await open_breaker(hub, sandbox)
    await hub.advance(OPEN_FOR)

    found = await output(hub, "CHF", "GBP", "JPY", "USD")

    partners = [rate["partner"] for rate in found["rates"]]
    assert sorted(partners) == ["centralbank"] * 3 + ["rates"]
    assert (await breaker(hub))["state"] == "closed"


async def test_a_probe_that_fails_opens_the_breaker_again(hub: ManualHub, sandbox: Sandbox) -> None:
    await open_breaker(hub, sandbox)
    await sandbox.fault("rates", fail_next=1)
    await hub.advance(OPEN_FOR)

    found = await output(hub, "CHF", "GBP", "JPY", "USD")

    assert {rate["partner"] for rate in found["rates"]} == {"centralbank"}
    assert (await breaker(hub))["state"] == "open"
    assert len(asked(hub, "rates")) == FAILURES + 1


async def test_a_rate_that_only_the_blocked_partner_knows_is_waited_for(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await open_breaker(hub, sandbox)

    found = await output(hub, "SEK")

    assert [rate["partner"] for rate in found["rates"]] == ["rates"]
    assert asked(hub, "rates").count("SEK") == 1


async def test_a_caller_that_is_terminated_during_its_probe_blocks_nobody_for_ever(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await open_breaker(hub, sandbox)
    await hub.advance(OPEN_FOR)
    real = ask_for_rate.build().get_user_function()

    async def die(order: Any) -> Any:
        for child in hub.instances():
            if child.name == "currency_rate" and not child.ended:
                await hub.terminate(child.id, "died")
        return await real(order)

    hub.replace_activity("ask_for_rate", die)
    await ask(hub, "USD")
    hub.replace_activity("ask_for_rate", real)

    assert (await breaker(hub))["state"] == "half_open"
    assert (await output(hub, "GBP"))["rates"][0]["partner"] == "centralbank"
    await hub.advance(PROBE_WITHIN)
    assert (await output(hub, "CHF"))["rates"][0]["partner"] == "rates"
    assert (await breaker(hub))["state"] == "closed"


async def test_a_state_that_an_earlier_deployment_saved_is_completed(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await hub.set_entity_state("breaker", "rates", {"state": "closed", "failures": FAILURES - 1})
    await sandbox.fault("rates", fail_next=1)

    await output(hub, "USD")

    assert (await breaker(hub))["state"] == "open"


async def test_a_message_that_a_breaker_cannot_read_changes_nothing(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await open_breaker(hub, sandbox)
    before = await breaker(hub)

    for message in ({}, {"at": "soon"}, {"at": "2026-01-01T00:00:00Z", "ok": True}):
        await hub.signal("breaker", "rates", "report", message)

    assert await breaker(hub) == before


async def test_a_breaker_shows_its_state(hub: ManualHub, sandbox: Sandbox) -> None:
    before = await breaker(hub)
    await open_breaker(hub, sandbox)

    after = await breaker(hub)

    until = time_text(hub.clock.now() + OPEN_FOR)
    assert before == {"key": "rates", "state": "closed", "failures": 0, "round": 0, "until": None}
    assert after == {
        "key": "rates",
        "state": "open",
        "failures": FAILURES,
        "round": 1,
        "until": until,
    }
    assert (await breaker(hub, "centralbank"))["state"] == "closed"


@pytest.mark.parametrize("key", ["bank", "RATES", "@x", "a" * 300, "a%20b"])
async def test_a_breaker_that_does_not_exist_is_unknown(hub: ManualHub, key: str) -> None:
    answer = await hub.request("GET", f"/api/breakers/{key}")

    assert (answer.status, answer.json()["code"]) == (404, "unknown_breaker")


async def test_repeating_the_request_in_any_order_starts_one_search(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    first = await ask(hub, "USD", "GBP")
    second = await ask(hub, "GBP", "USD", "GBP")

    assert (first.status, second.status) == (202, 200)
    assert first.json()["id"] == second.json()["id"] == ID
    assert len(hub.calls("ask_for_rate")) == 2


async def test_concurrent_requests_start_one_search(hub: ManualHub, sandbox: Sandbox) -> None:
    answers = await asyncio.gather(*(ask(hub, "USD", "GBP") for _ in range(10)))
    await hub.run_until_ended(ID)

    assert {answer.status for answer in answers} <= {200, 202}
    assert len(hub.calls("ask_for_rate")) == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"date": DAY, "currencies": []}, "currencies"),
        ({"date": DAY, "currencies": ["USD"] * 21}, "currencies"),
        ({"date": DAY, "currencies": ["usd"]}, "currencies.0"),
        ({"date": DAY, "currencies": ["USD\n"]}, "currencies.0"),
        ({"date": DAY, "currencies": ["../"]}, "currencies.0"),
        ({"date": DAY, "currencies": "USD"}, "currencies"),
        ({"date": "yesterday", "currencies": ["USD"]}, "date"),
        ({"date": "2026-02-30", "currencies": ["USD"]}, "date"),
        ({"date": 0, "currencies": ["USD"]}, "date"),
        ({"date": DAY, "currencies": ["USD"], "base": "EUR"}, "base"),
    ],
)
async def test_an_invalid_body_names_the_field_and_starts_nothing(
    hub: ManualHub, body: dict[str, Any], field: str
) -> None:
    answer = await hub.request("POST", "/api/rates", json=body)

    assert answer.status == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert hub.instances() == []


async def test_the_longest_list_makes_a_valid_id(hub: ManualHub, sandbox: Sandbox) -> None:
    currencies = [f"A{a}{b}" for a in "ABCDE" for b in "ABCD"]

    assert (await ask(hub, *currencies)).status == 202


async def test_the_custom_status_shows_the_progress(hub: ManualHub) -> None:
    seen = []

    def look(order: Any) -> Any:
        seen.append(hub.custom_status(ID))
        return DEALT

    hub.replace_activity("ask_for_rate", look)
    await ask(hub, "USD", "GBP")

    assert seen == [{"step": "asking", "done": 0, "of": 2}] * 2
    assert hub.custom_status(ID) == {"step": "asked", "done": 2, "of": 2}


async def test_a_crash_between_any_two_steps_changes_nothing(
    durable_app: FunctionTable, sandbox: Sandbox
) -> None:
    async def run(hub: ManualHub) -> None:
        await sandbox.mend()
        await sandbox.fault("rates", fail_next=1)
        await ask(hub, "USD")
        await hub.run_until_ended(f"rates:{DAY}:USD")

    async for hub in every_crash(durable_app, run):
        await output(hub, "USD")
        await hub.run_until_idle()

        [rate] = hub.output(f"rates:{DAY}:USD")["rates"]
        assert rate in (DEALT, PUBLISHED)
        assert hub.problems() == []
        assert hub.entity_state("breaker", "rates")["failures"] <= 1


async def test_a_crash_during_a_probe_leaves_no_breaker_half_open_for_ever(
    durable_app: FunctionTable, sandbox: Sandbox
) -> None:
    async def run(hub: ManualHub) -> None:
        for _ in range(FAILURES):
            told = {"at": hub.clock.now().isoformat(), "round": 0, "ok": False}
            await hub.signal("breaker", "rates", "report", told)
        await hub.advance(OPEN_FOR)
        await ask(hub, "USD")
        await hub.run_until_ended(f"rates:{DAY}:USD")

    async for hub in every_crash(durable_app, run):
        await hub.advance(OPEN_FOR + PROBE_WITHIN)
        await output(hub, "USD")
        await output(hub, "GBP")

        assert hub.entity_state("breaker", "rates")["state"] == "closed"


# What holds whatever goes wrong: `make faults` checks it after each faulty run.


async def invariant_every_currency_has_a_rate_or_a_reason(hub: ManualHub) -> None:
    for search in completed(hub, "exchange_rates"):
        asked = json.loads(hub.history(search.id)[1]["Input"])
        wanted = json.loads(asked)["currencies"] if isinstance(asked, str) else asked["currencies"]
        found = [each["currency"] for each in search.output["rates"]]
        missing = [each["currency"] for each in search.output["failures"]]
        assert sorted([*found, *missing]) == sorted(set(wanted))
