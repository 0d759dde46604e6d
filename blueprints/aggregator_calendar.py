"""The calendar of closed days: one closing at a time, in the order of the days, each final."""

from typing import Final, TypedDict

from activities import limits
from blueprints.aggregator_booking import Tally
from orchestration.failures import Failure

KEPT: Final = limits.CALENDAR_DAYS.most


class DayTotal(Tally):
    """What a closed day came to, and of how many vendors."""

    day: str
    vendors: int


class Calendar(TypedDict):
    """What is closed, and what is being closed."""

    closed: dict[str, DayTotal]
    closed_through: str
    closing: str


def new_calendar() -> Calendar:
    return Calendar(closed={}, closed_through="", closing="")


def begin(calendar: Calendar, day: str) -> tuple[Calendar, list[DayTotal]]:
    """Begin to close a day; the result is what it came to if it is closed, else empty.

    Raises Failure `day_closed` for a day that was closed with a later one, and
    `closing_under_way` while another day is being closed.
    """
    if day in calendar["closed"]:
        return calendar, [calendar["closed"][day]]
    if day <= calendar["closed_through"]:
        last = calendar["closed_through"]
        why = f"{day} was closed with a later day; all to {last} is: close the next that is over"
        raise Failure("day_closed", why)
    if calendar["closing"] not in ("", day):
        why = f"{calendar['closing']} is being closed: close {day} once that has ended"
        raise Failure("closing_under_way", why)
    return {**calendar, "closing": day}, []


def freeze(calendar: Calendar, total: DayTotal) -> tuple[Calendar, DayTotal]:
    """Keep what a day came to, once: what was kept first stays."""
    day = total["day"]
    if day in calendar["closed"]:
        return calendar, calendar["closed"][day]
    if day != calendar["closing"]:
        raise Failure("not_closing", f"{day} is not being closed: begin with it")
    days = sorted([*calendar["closed"].items(), (day, total)])[-KEPT:]
    return Calendar(closed=dict(days), closed_through=day, closing=""), total
