"""A circuit breaker: a party that fails is left alone for a while, then tried by one, then by all.

Its state is that of an entity, one a party. Whoever wants to call asks it first and gets its answer
in one call; what came of it is a signal. It has no clock of its own: each message says what time it
is where it comes from.
"""

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, TypedDict, cast

import azure.durable_functions as df
from pydantic import AwareDatetime, BaseModel, BeforeValidator

from orchestration.events import event_data
from orchestration.failures import Failure
from orchestration.operating import Operations
from orchestration.settling import Settled

ENTITY: Final = "breaker"

FAILURES: Final = 5  # so many in a row open it
OPEN_FOR: Final = timedelta(seconds=30)
# A probe that was not heard of by then is given up on: whoever sent it may be dead.
PROBE_WITHIN: Final = timedelta(minutes=1)

Verdict = Literal["allowed", "probe", "refused"]


class Standing(TypedDict):
    """What a breaker holds; `round` counts its changes, so that old news is known as such."""

    state: Literal["closed", "open", "half_open"]
    failures: int
    round: int
    until: str | None  # open: nobody may call before; half open: the probe is waited for as long


class Permit(TypedDict):
    """Whether to call, and the round to report in; who is refused may ask again after `until`."""

    verdict: Verdict
    round: int
    until: str | None


def _moment(value: object) -> object:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


class Asked(BaseModel):
    """What `may_call` is given."""

    at: Annotated[AwareDatetime, BeforeValidator(_moment)]


class Report(Asked):
    """What `report` is given."""

    round: int
    ok: bool


class Breaker:
    """The breaker of one party, as an orchestrator sees it."""

    def __init__(self, context: df.DurableOrchestrationContext, key: str) -> None:
        self._context, self._entity = context, df.EntityId(ENTITY, key)

    def may_call(self) -> Generator[Any, Any, Permit]:
        """Ask for a permit; whoever gets one other than `refused` has to report."""
        asked = {"at": self._context.current_utc_datetime.isoformat()}
        call = self._context.call_entity(self._entity, "may_call", asked, expected_type=dict)
        return cast(Permit, (yield call))

    def report(self, permit: Permit, end: Settled | None) -> None:
        """Tell how the call ended, None where it did not in time.

        A party that refuses is in order: only what is worth another attempt counts as a failure.
        """
        ok = end is not None and not (end.failure and end.failure.retriable)
        at = self._context.current_utc_datetime.isoformat()
        told = {"at": at, "round": permit["round"], "ok": ok}
        self._context.signal_entity(self._entity, "report", told)


def closed() -> Standing:
    """A breaker that nothing was reported to yet."""
    return Standing(state="closed", failures=0, round=0, until=None)


def _may_call(standing: Standing, data: object) -> tuple[Standing, Permit]:
    asked = event_data(data, Asked)
    if asked is None:
        raise Failure("invalid_input", "may_call needs the time: send at, with its time zone")
    if standing["until"] is None:
        return standing, Permit(verdict="allowed", round=standing["round"], until=None)
    if asked.at < datetime.fromisoformat(standing["until"]):
        refused = Permit(verdict="refused", round=standing["round"], until=standing["until"])
        return standing, refused
    probed = _next(standing, "half_open", asked.at + PROBE_WITHIN)
    return probed, Permit(verdict="probe", round=probed["round"], until=probed["until"])


def _report(standing: Standing, data: object) -> tuple[Standing, None]:
    report = event_data(data, Report)
    if report is None:
        raise Failure("invalid_input", "a report needs at, round and ok")
    return _after(standing, report), None


def _after(standing: Standing, report: Report) -> Standing:
    """What a report changes: nothing, where it is of a round that is over."""
    if report.round != standing["round"] or standing["state"] == "open":
        return standing
    if report.ok:
        is_closed = standing["state"] == "closed"
        return {**standing, "failures": 0} if is_closed else _next(standing, "closed", None)
    failures = standing["failures"] + 1  # half open, it has as many as opened it before
    if failures < FAILURES:
        return {**standing, "failures": failures}
    return {**_next(standing, "open", report.at + OPEN_FOR), "failures": failures}


def _next(
    standing: Standing, state: Literal["closed", "open", "half_open"], until: datetime | None
) -> Standing:
    failures = 0 if state == "closed" else standing["failures"]
    said = until.isoformat() if until else None
    return Standing(state=state, failures=failures, round=standing["round"] + 1, until=said)


OPERATIONS: Final[Operations[Standing]] = {"may_call": _may_call, "report": _report}
