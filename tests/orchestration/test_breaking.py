"""A breaker opens after failures in a row, lets one probe, and believes only news of its round."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durablehost.app.functions import FunctionTable
from durablehost.testing import ManualHub, every_crash
from orchestration.breaking import (
    FAILURES,
    OPEN_FOR,
    OPERATIONS,
    PROBE_WITHIN,
    Permit,
    Standing,
    Verdict,
    closed,
)
from orchestration.failures import Failure
from orchestration.operating import operated

START = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DOWN = Failure("bank_unavailable", "the bank answered 503", retriable=True)
UNKNOWN = Failure("account_unknown", "there is no such account")


def ask(standing: Standing, at: datetime) -> tuple[Standing, Permit]:
    after, permit = operated(OPERATIONS, standing, "may_call", {"at": at.isoformat()})
    return after, permit


def report(standing: Standing, permit: Permit, at: datetime, *, ok: bool) -> Standing:
    told = {"at": at.isoformat(), "round": permit["round"], "ok": ok}
    return operated(OPERATIONS, standing, "report", told)[0]


def failed(standing: Standing, times: int, at: datetime = START) -> Standing:
    """After so many calls, one after the other, that failed."""
    for _ in range(times):
        standing, permit = ask(standing, at)
        standing = report(standing, permit, at, ok=False)
    return standing


def verdicts(standing: Standing, at: datetime, askers: int) -> list[Verdict]:
    given = []
    for _ in range(askers):
        standing, permit = ask(standing, at)
        given.append(permit["verdict"])
    return given


def test_a_new_breaker_lets_everybody_call() -> None:
    assert verdicts(closed(), START, 3) == ["allowed"] * 3


def test_it_opens_at_the_last_of_so_many_failures_in_a_row() -> None:
    assert failed(closed(), FAILURES - 1)["state"] == "closed"
    assert failed(closed(), FAILURES)["state"] == "open"


def test_a_success_begins_the_count_anew() -> None:
    standing = failed(closed(), FAILURES - 1)
    standing = report(standing, ask(standing, START)[1], START, ok=True)

    assert failed(standing, FAILURES - 1)["state"] == "closed"


def test_an_open_breaker_refuses_until_its_time_is_over_and_says_when() -> None:
    standing = failed(closed(), FAILURES)
    before = START + OPEN_FOR - SECOND

    assert verdicts(standing, before, 3) == ["refused"] * 3
    assert ask(standing, before)[1]["until"] == (START + OPEN_FOR).isoformat()


def test_of_many_who_ask_a_half_open_breaker_one_probes() -> None:
    standing = failed(closed(), FAILURES)

    assert verdicts(standing, START + OPEN_FOR, 10) == ["probe"] + ["refused"] * 9


def test_a_probe_that_succeeds_closes_it() -> None:
    standing, permit = ask(failed(closed(), FAILURES), START + OPEN_FOR)

    standing = report(standing, permit, START + OPEN_FOR, ok=True)

    assert standing["state"] == "closed"
    assert failed(standing, FAILURES - 1)["state"] == "closed"


def test_a_probe_that_fails_opens_it_for_as_long_again() -> None:
    probed = START + OPEN_FOR
    standing, permit = ask(failed(closed(), FAILURES), probed)

    standing = report(standing, permit, probed + SECOND, ok=False)

    assert standing["state"] == "open"
    assert verdicts(standing, probed + OPEN_FOR, 2) == ["refused"] * 2
    assert verdicts(standing, probed + SECOND + OPEN_FOR, 2) == ["probe", "refused"]


def test_a_probe_that_nobody_hears_of_is_followed_by_another() -> None:
    probed = START + OPEN_FOR
    standing, _ = ask(failed(closed(), FAILURES), probed)

    assert verdicts(standing, probed + PROBE_WITHIN - SECOND, 2) == ["refused"] * 2
    assert verdicts(standing, probed + PROBE_WITHIN, 3) == ["probe", "refused", "refused"]


@pytest.mark.parametrize("ok", [True, False])
def test_what_a_given_up_probe_still_tells_changes_nothing(ok: bool) -> None:
    standing, first = ask(failed(closed(), FAILURES), START + OPEN_FOR)
    standing, _ = ask(standing, START + OPEN_FOR + PROBE_WITHIN)

    assert report(standing, first, START + OPEN_FOR + PROBE_WITHIN, ok=ok) == standing


@pytest.mark.parametrize("ok", [True, False])
def test_what_was_called_before_it_opened_neither_closes_it_nor_keeps_it_open(ok: bool) -> None:
    _, early = ask(closed(), START)
    standing = failed(closed(), FAILURES)
    half_open, _ = ask(standing, START + OPEN_FOR)

    assert report(standing, early, START + SECOND, ok=ok) == standing
    assert report(half_open, early, START + OPEN_FOR, ok=ok) == half_open


def test_many_that_were_called_at_once_and_all_fail_open_it_once() -> None:
    permits = [ask(closed(), START)[1] for _ in range(20)]
    standing = closed()
    for number, permit in enumerate(permits):
        standing = report(standing, permit, START + number * SECOND, ok=False)

    assert standing["until"] == (START + (FAILURES - 1) * SECOND + OPEN_FOR).isoformat()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ask", "ok", "failed"]), st.integers(-5, 70), st.integers(0, 20)
        ),
        max_size=60,
    )
)
def test_whatever_happens_in_whatever_order_one_probes_at_a_time_and_nobody_is_shut_off_for_ever(
    happens: list[tuple[str, int, int]],
) -> None:
    standing, now, latest, lease = closed(), START, START, START
    permits: list[Permit] = []
    for what, seconds, which in happens:
        now += seconds * SECOND  # back as well: the clocks of those who ask differ
        latest = max(now, latest)
        if what == "ask":
            standing, permit = ask(standing, now)
            if permit["verdict"] == "probe":
                assert now >= lease
                lease = now + PROBE_WITHIN
            permits += [permit] if permit["verdict"] != "refused" else []
        elif permits:
            before = standing
            standing = report(standing, permits.pop(which % len(permits)), now, ok=what == "ok")
            lease = lease if standing["round"] == before["round"] else START

    assert verdicts(standing, latest + PROBE_WITHIN, 1) != ["refused"]


@pytest.mark.parametrize(
    ("operation", "data", "code"),
    [
        ("dance", None, "unknown_operation"),
        ("may_call", None, "invalid_input"),
        ("may_call", {"at": "soon"}, "invalid_input"),
        ("may_call", {"at": 5}, "invalid_input"),
        ("may_call", {"at": "2026-01-01T00:00:00"}, "invalid_input"),
        ("report", {"at": "2026-01-01T00:00:00+00:00"}, "invalid_input"),
        ("report", {"at": "2026-01-01T00:00:00Z", "round": "0", "ok": True}, "invalid_input"),
        ("report", {"at": "2026-01-01T00:00:00Z", "round": 0, "ok": "no"}, "invalid_input"),
    ],
)
def test_what_is_not_right_is_refused(operation: str, data: object, code: str) -> None:
    with pytest.raises(Failure) as refused:
        operated(OPERATIONS, closed(), operation, data)

    assert refused.value.code == code


async def asked(hub: ManualHub, askers: int = 1) -> Any:
    """The verdicts that one instance gets, which then calls and reports."""
    instance = await hub.start("probe", ["bank", askers])
    return hub.output(instance)


async def open_breaker(hub: ManualHub) -> None:
    for _ in range(FAILURES):
        hub.fail_activity("do_work", DOWN)
        await asked(hub)
    assert hub.entity_state("breaker", "bank")["state"] == "open"


async def test_on_the_hub_it_opens_probes_once_and_closes(hub: ManualHub) -> None:
    await open_breaker(hub)

    assert await asked(hub, 3) == ["refused"] * 3
    await hub.advance(OPEN_FOR)
    assert await asked(hub, 3) == ["probe", "refused", "refused"]
    assert await asked(hub, 3) == ["allowed"] * 3


async def test_of_many_instances_at_one_moment_one_probes(hub: ManualHub) -> None:
    await open_breaker(hub)
    await hub.advance(OPEN_FOR)

    await hub.start("askers", 12)

    given = [call.input for call in hub.calls("do_work")[FAILURES:]]
    assert given == ["probe"]


async def test_a_refusal_by_the_party_is_no_failure(hub: ManualHub) -> None:
    for _ in range(2 * FAILURES):
        hub.fail_activity("do_work", UNKNOWN)
        await asked(hub)

    assert hub.entity_state("breaker", "bank") == closed()


async def test_an_asker_that_dies_with_the_probe_blocks_nobody_for_ever(hub: ManualHub) -> None:
    await open_breaker(hub)
    await hub.advance(OPEN_FOR)

    async def die(_: str) -> str:
        await hub.terminate("prober", "died")
        return "nobody hears this"

    hub.replace_activity("do_work", die)
    await hub.start("probe", ["bank", 1], instance_id="prober")
    hub.replace_activity("do_work", lambda work: work)

    assert hub.status("prober") == "Terminated"
    assert await asked(hub) == ["refused"]
    await hub.advance(PROBE_WITHIN)
    assert await asked(hub, 2) == ["probe", "refused"]
    assert await asked(hub) == ["allowed"]


async def test_a_crash_between_any_two_steps_of_a_probe_leaves_it_closed(
    durable_app: FunctionTable,
) -> None:
    async def run(hub: ManualHub) -> None:
        await hub.start("probe", ["bank", 2], instance_id="prober")

    async for hub in every_crash(durable_app, run):
        await hub.run_until_ended("prober")
        await hub.run_until_idle()

        assert hub.output("prober") == ["allowed", "allowed"]
        assert hub.entity_state("breaker", "bank") == closed()
        assert hub.problems("prober") == []
