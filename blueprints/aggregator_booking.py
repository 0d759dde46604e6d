"""Events booked on days, each once, and days that are closed: the state of one shard of a total.

An event of a closed day is booked on the next open one, by the shard itself, which does one thing
at a time. So whatever comes while a day is closed is in that day or in the next, and in one only.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Final, TypedDict

from pydantic import AfterValidator, BaseModel, StringConstraints

from activities import limits
from blueprints.aggregator_sharding import mark_of
from orchestration.events import event_data
from orchestration.failures import Failure

# A state must not grow for ever; at these sizes it is some 25 KB.
REMEMBERED: Final = limits.REMEMBERED_EVENTS.most
OPEN_DAYS: Final = limits.OPEN_DAYS.most
CLOSED_DAYS: Final = limits.CLOSED_DAYS.most


def _existing(text: str) -> str:
    date.fromisoformat(text)
    return text


# A day such as 2026-01-31; as texts, days are in their order.
Day = Annotated[
    str, StringConstraints(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_existing)
]


class Tally(TypedDict):
    """How many events, and what they come to."""

    events: int
    amount_cents: int


class Total(Tally):
    """All events of a shard ever, those of each day, and what tells a repeated one."""

    repeats: int
    late: int
    open: dict[str, Tally]
    closed: dict[str, Tally]
    closed_through: str
    forgotten_through: str
    seen: list[str]


class Recording(BaseModel):
    """An event as a shard is told of it, and the last closed day for one that is new."""

    event: str
    day: Day
    amount_cents: int
    closed_through: str = ""


def new_total() -> Total:
    return Total(
        events=0,
        amount_cents=0,
        repeats=0,
        late=0,
        open={},
        closed={},
        closed_through="",
        forgotten_through="",
        seen=[],
    )


def record(total: Total, data: object) -> tuple[Total, None]:
    """Count an event, unless it is remembered."""
    told = event_data(data, Recording)
    if told is None:
        raise Failure("invalid_event", "this is no event: name it, its day and its amount")
    if total == new_total():
        total = {**total, "closed_through": told.closed_through}
    mark = mark_of(told.event)
    if mark in total["seen"]:
        return {**total, "repeats": total["repeats"] + 1}, None
    one = Tally(events=1, amount_cents=told.amount_cents)
    is_late = told.day <= total["closed_through"]
    day = _day_after(total["closed_through"]) if is_late else told.day
    days = {**total["open"], day: summed([total["open"].get(day, _NOTHING), one])}
    after: Total = {
        **total,
        **summed([total, one]),
        "late": total["late"] + is_late,
        "open": _capped(days),
        "seen": [*total["seen"], mark][-REMEMBERED:],
    }
    return after, None


def close(total: Total, day: str) -> tuple[Total, Tally]:
    """Freeze all that is booked on a day and the open ones before; a closed day stays as it is."""
    if day <= total["closed_through"]:
        return total, total["closed"].get(day, _NOTHING)
    due = {open_day for open_day in total["open"] if open_day <= day}
    frozen = summed(total["open"][each] for each in due)
    days = {**total["closed"], day: frozen}
    dropped = sorted(days)[:-CLOSED_DAYS]
    after: Total = {
        **total,
        "open": {each: tally for each, tally in total["open"].items() if each not in due},
        "closed": {each: tally for each, tally in days.items() if each not in dropped},
        "closed_through": day,
        "forgotten_through": dropped[-1] if dropped else total["forgotten_through"],
    }
    return after, frozen


def read(total: Total, _: object) -> tuple[Total, Tally]:
    """All events ever."""
    return total, summed([total])


def as_one(shards: Sequence[Total]) -> dict[str, Any]:
    """What all shards hold together, and how often an event was repeated or came late."""
    counts = {name: sum(shard[name] for shard in shards) for name in ("late", "repeats")}
    return {**summed(shards), **counts}


def as_one_on(shards: Sequence[Total], day: str) -> dict[str, Any]:
    """What all shards have booked on a day together. Raises Failure `day_forgotten`."""
    if any(day <= shard["forgotten_through"] for shard in shards):
        detail = f"of closed days the last {CLOSED_DAYS} are kept: look at the closing of {day}"
        raise Failure("day_forgotten", detail)
    tallies = [shard["closed"].get(day) or shard["open"].get(day) or _NOTHING for shard in shards]
    is_closed = bool(shards) and all(day <= shard["closed_through"] for shard in shards)
    return {"day": day, "state": "closed" if is_closed else "open", **summed(tallies)}


def summed(tallies: Iterable[Tally]) -> Tally:
    events, amount_cents = 0, 0
    for tally in tallies:
        events += tally["events"]
        amount_cents += tally["amount_cents"]
    return Tally(events=events, amount_cents=amount_cents)


def _capped(days: dict[str, Tally]) -> dict[str, Tally]:
    if len(days) <= OPEN_DAYS:
        return days
    oldest, following, *_ = sorted(days)
    moved = {following: summed([days[oldest], days[following]])}
    return {day: tally for day, tally in (days | moved).items() if day != oldest}


def _day_after(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


_NOTHING: Final = Tally(events=0, amount_cents=0)
