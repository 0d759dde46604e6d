"""Whatever comes when, each event is booked on one day, and a closed day stays as it is."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blueprints import aggregator_booking as booking
from blueprints.aggregator_booking import (
    OPEN_DAYS,
    Tally,
    Total,
    as_one,
    as_one_on,
    close,
    new_total,
    record,
)
from orchestration.failures import Failure

DAYS = [f"2026-01-{number:02}" for number in range(1, 8)]

# What is done to a shard: an event by its number and its day, or the closing of a day.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.integers(0, 15), st.sampled_from(DAYS)),
        st.tuples(st.just("close"), st.just(0), st.sampled_from(DAYS)),
    ),
    max_size=60,
)


def an_event(number: int, day: str) -> dict[str, object]:
    return {"event": f"e-{number}", "day": day, "amount_cents": 2**number}


def booked(total: Total) -> int:
    """All that is booked on days; amounts are powers of two, so it says which events are in it."""
    days = [*total["open"].values(), *total["closed"].values()]
    return sum(tally["amount_cents"] for tally in days)


@given(STEPS)
def test_each_event_is_in_one_day_and_in_one_only(
    steps: Sequence[tuple[str, int, str]],
) -> None:
    total, sent = new_total(), set()
    for step, number, day in steps:
        if step == "record":
            total, _ = record(total, an_event(number, day))
            sent.add(number)
        else:
            total, _ = close(total, day)

    assert booked(total) == total["amount_cents"] == sum(2**number for number in sent)
    assert total["events"] == len(sent)
    assert total["events"] + total["repeats"] == sum(step == "record" for step, *_ in steps)


@given(STEPS)
def test_a_closed_day_never_changes(steps: Sequence[tuple[str, int, str]]) -> None:
    total = new_total()
    frozen: dict[str, Tally] = {}
    for step, number, day in steps:
        if step == "record":
            total, _ = record(total, an_event(number, day))
        else:
            total, came_to = close(total, day)
            assert frozen.setdefault(day, came_to) == came_to
        assert all(total["closed"].get(day, came) == came for day, came in frozen.items())
        assert all(open_day > total["closed_through"] for open_day in total["open"])


def test_a_new_shard_is_told_what_is_closed_and_one_that_has_begun_knows_better() -> None:
    told = {"closed_through": DAYS[2]}

    total, _ = record(new_total(), an_event(0, DAYS[1]) | told)
    total, came_to = close(total, DAYS[3])
    begun, _ = record(new_total(), an_event(0, DAYS[1]))
    begun, _ = record(begun, an_event(1, DAYS[1]) | told)

    assert (came_to["events"], total["late"], total["closed_through"]) == (1, 1, DAYS[3])
    assert as_one_on([begun], DAYS[1]) == {
        "day": DAYS[1],
        "state": "open",
        "events": 2,
        "amount_cents": 3,
    }


@given(STEPS, st.integers(2, 5))
def test_events_over_shards_come_to_the_same_as_in_one(
    steps: Sequence[tuple[str, int, str]], count: int
) -> None:
    whole, parts = new_total(), [new_total() for _ in range(count)]
    for step, number, day in steps:
        if step == "record":
            event = an_event(number, day)
            whole, _ = record(whole, event)
            parts[number % count], _ = record(parts[number % count], event)
        else:
            whole, _ = close(whole, day)
            parts = [close(part, day)[0] for part in parts]

    assert as_one(parts) == as_one([whole])
    for day in [*DAYS, "2026-01-08"]:
        assert as_one_on(parts, day) == as_one_on([whole], day)


def test_with_too_many_open_days_the_oldest_is_booked_on_the_day_after_it() -> None:
    total = new_total()
    for number in range(OPEN_DAYS + 2):
        total, _ = record(total, an_event(number, f"{1900 + number}-01-01"))

    assert len(total["open"]) == OPEN_DAYS
    assert as_one_on([total], "1900-01-01")["events"] == 0
    assert as_one_on([total], "1902-01-01")["events"] == 3
    assert booked(total) == total["amount_cents"]


@pytest.mark.parametrize(
    "data",
    [None, {}, "e-1", {"event": "e-1", "day": "2026-01-01"}]
    + [{"event": "e-1", "day": "2026-13-01", "amount_cents": 1}]
    + [{"event": "e-1", "day": "2026-01-01", "amount_cents": "1"}],
)
def test_what_is_no_event_is_not_booked(data: object) -> None:
    with pytest.raises(Failure, match="invalid_event"):
        booking.record(new_total(), data)


def test_no_shard_at_all_is_an_open_day_without_events() -> None:
    expected = {"day": "2026-01-01", "state": "open", "events": 0, "amount_cents": 0}
    assert as_one_on([], "2026-01-01") == expected
