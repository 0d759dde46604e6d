"""A breaker opens after failures in a row, allows one probe, and ignores late reports."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.breaking import (
    FAILURES,
    OPEN_FOR,
    PROBE_WITHIN,
    BreakerState,
    Permit,
    Verdict,
    closed,
    permit_call,
    take_report,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def report(state: BreakerState, permit: Permit, at: datetime, *, ok: bool) -> BreakerState:
    return take_report(state, permit["round"], at, ok=ok)


def failed(state: BreakerState, times: int, at: datetime = START) -> BreakerState:
    """The state after so many calls that failed, one after the other."""
    for _ in range(times):
        state, permit = permit_call(state, at)
        state = report(state, permit, at, ok=False)
    return state


def verdicts(state: BreakerState, at: datetime, askers: int) -> list[Verdict]:
    given = []
    for _ in range(askers):
        state, permit = permit_call(state, at)
        given.append(permit["verdict"])
    return given


def test_a_new_breaker_allows_every_call() -> None:
    assert verdicts(closed(), START, 3) == ["allowed"] * 3


def test_the_breaker_opens_after_five_failures_in_a_row() -> None:
    assert failed(closed(), FAILURES - 1)["state"] == "closed"
    assert failed(closed(), FAILURES)["state"] == "open"


def test_a_success_resets_the_count() -> None:
    state = failed(closed(), FAILURES - 1)
    state = report(state, permit_call(state, START)[1], START, ok=True)

    assert failed(state, FAILURES - 1)["state"] == "closed"


def test_an_open_breaker_refuses_calls_until_a_time_that_it_names() -> None:
    state = failed(closed(), FAILURES)
    before = START + OPEN_FOR - SECOND

    assert verdicts(state, before, 3) == ["refused"] * 3
    assert permit_call(state, before)[1]["until"] == "2026-01-01T00:00:30Z"


def test_one_of_many_callers_probes_a_half_open_breaker() -> None:
    state = failed(closed(), FAILURES)

    assert verdicts(state, START + OPEN_FOR, 10) == ["probe"] + ["refused"] * 9


def test_a_probe_that_succeeds_closes_the_breaker() -> None:
    state, permit = permit_call(failed(closed(), FAILURES), START + OPEN_FOR)

    state = report(state, permit, START + OPEN_FOR, ok=True)

    assert state["state"] == "closed"
    assert failed(state, FAILURES - 1)["state"] == "closed"


def test_a_probe_that_fails_opens_the_breaker_for_the_same_time_again() -> None:
    probed = START + OPEN_FOR
    state, permit = permit_call(failed(closed(), FAILURES), probed)

    state = report(state, permit, probed + SECOND, ok=False)

    assert state["state"] == "open"
    assert verdicts(state, probed + OPEN_FOR, 2) == ["refused"] * 2
    assert verdicts(state, probed + SECOND + OPEN_FOR, 2) == ["probe", "refused"]


def test_a_probe_that_does_not_report_is_followed_by_another() -> None:
    probed = START + OPEN_FOR
    state, _ = permit_call(failed(closed(), FAILURES), probed)

    assert verdicts(state, probed + PROBE_WITHIN - SECOND, 2) == ["refused"] * 2
    assert verdicts(state, probed + PROBE_WITHIN, 3) == ["probe", "refused", "refused"]


@pytest.mark.parametrize("ok", [True, False])
def test_the_late_report_of_a_probe_changes_nothing(ok: bool) -> None:
    state, first = permit_call(failed(closed(), FAILURES), START + OPEN_FOR)
    state, _ = permit_call(state, START + OPEN_FOR + PROBE_WITHIN)

    assert report(state, first, START + OPEN_FOR + PROBE_WITHIN, ok=ok) == state


@pytest.mark.parametrize("ok", [True, False])
def test_a_report_of_a_call_from_before_the_breaker_opened_changes_nothing(ok: bool) -> None:
    _, early = permit_call(closed(), START)
    state = failed(closed(), FAILURES)
    half_open, _ = permit_call(state, START + OPEN_FOR)

    assert report(state, early, START + SECOND, ok=ok) == state
    assert report(half_open, early, START + OPEN_FOR, ok=ok) == half_open


def test_many_parallel_calls_that_all_fail_open_the_breaker_once() -> None:
    permits = [permit_call(closed(), START)[1] for _ in range(20)]
    state = closed()
    for number, permit in enumerate(permits):
        state = report(state, permit, START + number * SECOND, ok=False)

    assert state["until"] == "2026-01-01T00:00:34Z"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ask", "ok", "failed"]), st.integers(-5, 70), st.integers(0, 20)
        ),
        max_size=60,
    )
)
def test_in_any_order_of_events_one_probes_at_a_time_and_no_breaker_stays_open_for_ever(
    happens: list[tuple[str, int, int]],
) -> None:
    state, now, latest, lease = closed(), START, START, START
    permits: list[Permit] = []
    for what, seconds, which in happens:
        now += seconds * SECOND  # backwards as well: the clocks of machines differ
        latest = max(now, latest)
        if what == "ask":
            state, permit = permit_call(state, now)
            if permit["verdict"] == "probe":
                assert now >= lease
                lease = now + PROBE_WITHIN
            permits += [permit] if permit["verdict"] != "refused" else []
        elif permits:
            before = state
            state = report(state, permits.pop(which % len(permits)), now, ok=what == "ok")
            lease = lease if state["round"] == before["round"] else START

    assert verdicts(state, latest + PROBE_WITHIN, 1) != ["refused"]
