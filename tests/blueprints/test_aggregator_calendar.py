"""Days are closed one at a time and in their order, and what one came to is said for good."""

from datetime import date, timedelta

import pytest

from blueprints.aggregator_calendar import KEPT, Calendar, DayTotal, begin, freeze, new_calendar
from orchestration.failures import Failure


def a_total(day: str, events: int = 1) -> DayTotal:
    return DayTotal(day=day, vendors=1, events=events, amount_cents=100 * events)


def closed(*days: str) -> Calendar:
    calendar = new_calendar()
    for day in days:
        calendar, _ = begin(calendar, day)
        calendar, _ = freeze(calendar, a_total(day))
    return calendar


def test_what_a_day_came_to_first_is_what_it_came_to() -> None:
    calendar = closed("2026-01-01")

    again, kept = freeze(calendar, a_total("2026-01-01", events=2))

    assert (again, kept) == (calendar, a_total("2026-01-01"))
    assert begin(calendar, "2026-01-01") == (calendar, [a_total("2026-01-01")])


def test_a_closing_that_was_begun_can_be_begun_again() -> None:
    begun, _ = begin(new_calendar(), "2026-01-01")

    assert begin(begun, "2026-01-01") == (begun, [])


def test_two_days_are_not_closed_at_once() -> None:
    begun, _ = begin(new_calendar(), "2026-01-01")

    with pytest.raises(Failure, match="closing_under_way.* 2026-01-01 is being closed"):
        begin(begun, "2026-01-02")


def test_a_day_before_the_last_closed_one_is_closed_with_it() -> None:
    with pytest.raises(Failure, match="day_closed"):
        begin(closed("2026-01-03"), "2026-01-02")


def test_only_a_day_that_is_being_closed_is_frozen() -> None:
    with pytest.raises(Failure, match="not_closing"):
        freeze(closed("2026-01-01"), a_total("2026-01-02"))


def test_the_calendar_does_not_grow_for_ever_and_an_old_day_stays_closed() -> None:
    days = [(date(2026, 1, 1) + timedelta(days=n)).isoformat() for n in range(KEPT + 2)]

    calendar = closed(*days)

    assert list(calendar["closed"]) == days[2:]
    with pytest.raises(Failure, match="day_closed"):
        begin(calendar, days[0])
