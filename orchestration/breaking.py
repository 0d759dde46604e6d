"""A circuit breaker: stops the calls to a partner that keeps failing, and tries it again later.

An entity holds the state, one entity for each partner. An orchestrator asks it for a permit before
each call and reports afterwards how the call ended. Each message contains the caller's time (UTC).
"""

from datetime import datetime, timedelta
from typing import Final, Literal, TypedDict

FAILURES: Final = 5  # in a row; then the breaker opens
OPEN_FOR: Final = timedelta(seconds=30)
# After this time another caller may probe: the first one may have been terminated.
PROBE_WITHIN: Final = timedelta(minutes=1)

Name = Literal["closed", "open", "half_open"]
Verdict = Literal["allowed", "probe", "refused"]


class BreakerState(TypedDict):
    """The state of a breaker. `round` counts its changes, so that a late report is recognized."""

    state: Name
    failures: int
    round: int
    until: str | None  # open: no calls before this time; half open: the probe must report by then


class Permit(TypedDict):
    """Whether to call, and the round to report. A refused caller may ask again after `until`."""

    verdict: Verdict
    round: int
    until: str | None


def closed() -> BreakerState:
    """The state of a breaker before its first report."""
    return BreakerState(state="closed", failures=0, round=0, until=None)


def permit_call(breaker: BreakerState, at: datetime) -> tuple[BreakerState, Permit]:
    """Decide whether somebody may call; return the state afterwards and the permit."""
    verdict: Verdict = "allowed"
    if breaker["until"] is not None:
        if at < datetime.fromisoformat(breaker["until"]):
            verdict = "refused"
        else:
            verdict = "probe"
            breaker = _changed(breaker, "half_open", breaker["failures"], at + PROBE_WITHIN)
    return breaker, Permit(verdict=verdict, round=breaker["round"], until=breaker["until"])


def take_report(breaker: BreakerState, round_: int, at: datetime, *, ok: bool) -> BreakerState:
    """Return the state after a call. A report of an earlier round changes nothing."""
    if round_ != breaker["round"] or breaker["state"] == "open":
        return breaker
    if ok:
        is_closed = breaker["state"] == "closed"
        return {**breaker, "failures": 0} if is_closed else _changed(breaker, "closed", 0, None)
    failures = breaker["failures"] + 1  # half open, the failures that opened it still count
    if failures < FAILURES:
        return {**breaker, "failures": failures}
    return _changed(breaker, "open", failures, at + OPEN_FOR)


def _changed(
    breaker: BreakerState, state: Name, failures: int, until: datetime | None
) -> BreakerState:
    text = f"{until:%Y-%m-%dT%H:%M:%SZ}" if until else None
    return BreakerState(state=state, failures=failures, round=breaker["round"] + 1, until=text)
