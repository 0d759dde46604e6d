"""NCRONTAB expressions and TimeSpans mean to durablehost what they mean to the host."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durablehost.app.ncrontab import NEVER, CronSchedule, parse


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# Most rows are those of NCrontab's own tests.
@pytest.mark.parametrize(
    ("start", "expression", "next_time"),
    [
        ("2003-01-01 00:00:00", "* * * * *", "2003-01-01 00:01:00"),
        ("2003-12-31 23:59:00", "* * * * *", "2004-01-01 00:00:00"),
        ("2003-12-31 23:59:59", "* * * * * *", "2004-01-01 00:00:00"),
        ("2003-01-01 00:00:00", "*/5 * * * * *", "2003-01-01 00:00:05"),
        ("2003-01-01 00:00:55", "*/5 * * * * *", "2003-01-01 00:01:00"),
        ("2003-01-01 00:45:00", "45-47,48,49 * * * *", "2003-01-01 00:46:00"),
        ("2003-01-01 00:49:00", "45-47,48,49 * * * *", "2003-01-01 01:45:00"),
        ("2003-01-01 00:57:00", "2/5 * * * *", "2003-01-01 01:02:00"),
        ("2003-01-01 00:10:00", "10-40/15 * * * *", "2003-01-01 00:25:00"),
        ("2003-01-01 00:40:00", "10-40/15 * * * *", "2003-01-01 01:10:00"),
        ("2021-02-24 09:50:35", "* * 10 * * *", "2021-02-24 10:00:00"),
        ("2021-02-24 09:50:35", "* 55 * * * *", "2021-02-24 09:55:00"),
        ("2003-01-01 00:49:30", "6 45-47,48,49 * * * *", "2003-01-01 01:45:06"),
        ("2003-12-20 10:00:00", " * 3/4 * * *", "2003-12-20 11:00:00"),
        ("2003-12-20 01:45:00", "30 3   * * *", "2003-12-20 03:30:00"),
        ("2003-01-07 00:00:00", "30  *  1 * *", "2003-02-01 00:30:00"),
        ("2002-02-28 23:59:59", "* * * 3 *", "2002-03-01 00:00:00"),
        ("2000-02-15 00:00:00", "0 0 15,30,31 * *", "2000-03-15 00:00:00"),
        ("2000-12-31 00:00:00", "0 0 15,30,31 * *", "2001-01-15 00:00:00"),
        ("2002-07-01 05:00:00", "10 * * February,April-Jun *", "2003-02-01 00:10:00"),
        (
            "1988-03-11 14:23:00",
            "20 * * january,FeB,Mar,JuNE,SEPT-October *",
            "1988-03-11 15:20:00",
        ),
        ("2003-06-26 10:00:00", "30 6 * * 0", "2003-06-29 06:30:00"),
        ("2003-06-26 10:00:00", "30 6 * * SUNDAY", "2003-06-29 06:30:00"),
        ("2003-06-02 18:15:00", "15 18 * * Mon", "2003-06-09 18:15:00"),
        ("2003-01-01 12:00:00", "45 16 1 * Mon", "2003-09-01 16:45:00"),
        ("2000-02-29 12:01:00", "1 12 29 2 *", "2004-02-29 12:01:00"),
        ("2004-02-29 12:01:00", "1 12 28 2 *", "2005-02-28 12:01:00"),
        ("9000-01-01 00:00:00", "0 0 29 Feb Mon", "9008-02-29 00:00:00"),
        ("2026-11-21 03:23:30", "0 0 5 1 1 *", "2027-01-01 05:00:00"),
    ],
)
def test_the_next_occurrence_is_the_first_moment_all_fields_list(
    start: str, expression: str, next_time: str
) -> None:
    assert parse(expression).next_after(at(start)) == at(next_time)


@pytest.mark.parametrize(
    ("odd", "plain"),
    [
        ("0 0 0 * * FRI-MON", "0 0 0 * * MON-FRI"),
        ("0 40-20 * * * *", "0 20-40 * * * *"),
        ("*/0 * * * * *", "* * * * * *"),
        ("*/-3 * * * * *", "* * * * * *"),
        ("0 0 0 1 J *", "0 0 0 1 JAN *"),
        ("0 0 0 1 MA *", "0 0 0 1 MAR *"),
        ("0 0 0 * * S", "0 0 0 * * SUN"),
        ("0/20 * * * * *", "0,20,40 * * * * *"),
        ("00 05 * * * *", "0 5 * * * *"),
        ("5 * * * *", "0 5 * * * *"),
        ("7-7/3 * * * * *", "7 * * * * *"),
    ],
)
def test_an_unusual_schedule_means_what_it_means_to_ncrontab(odd: str, plain: str) -> None:
    assert parse(odd) == parse(plain)


@pytest.mark.parametrize(
    ("expression", "interval"),
    [
        ("00:05:00", timedelta(minutes=5)),
        ("1.00:00:00", timedelta(days=1)),
        ("1.02:30", timedelta(days=1, hours=2, minutes=30)),
        ("00:30", timedelta(minutes=30)),
        (" 00:00:01.5 ", timedelta(seconds=1.5)),
        ("7", timedelta(days=7)),
        ("24:00:00", timedelta(days=24)),
        ("25:00:00:00", timedelta(days=25)),
    ],
)
def test_a_time_span_is_due_again_after_its_interval(expression: str, interval: timedelta) -> None:
    start = at("2026-03-01 12:00:00.25")

    assert parse(expression).next_after(start) == start + interval


@pytest.mark.parametrize("expression", ["00:00:00", "-00:05:00"])
def test_an_interval_of_nothing_or_less_is_due_later_all_the_same(expression: str) -> None:
    start = at("2026-03-01 12:00:00")

    assert start < parse(expression).next_after(start) < start + timedelta(seconds=1)


@pytest.mark.parametrize(
    "expression",
    [
        "nonsense",
        "",
        "* * * *",
        "* * * * * * *",
        "60 * * * * *",
        "* * 24 * * *",
        "* * * 0 * *",
        "* * * 32 * *",
        "* * * * 13 *",
        "* * * * * 7",
        "* * * * * mon,bad,wed",
        "* * 1,2,3,456 * * *",
        "* * 1,Z * * *",
        "* * 1/Z * * *",
        "* * 3-l2 * * *",
        "* * 1, * * *",
        "* * ,1 * * *",
        "* * /2 * * *",
        "* * 1/2/3 * * *",
        "* * 1-2-3 * * *",
        "* * -1 * * *",
        "* * *-5 * * *",
        "* * ? * * *",
        "*\t* * * * *",
        "* * ١ * * *",
        "00:60:00",
        "10:20:60",
        "1.24:00:00",
        "00:00:00.12345678",
        "10675200",
        "5 minutes",
    ],
)
def test_another_value_is_refused_with_the_message_of_the_host(expression: str) -> None:
    with pytest.raises(ValueError, match="was not recognized") as refused:
        parse(expression)

    assert str(refused.value) == (
        f"The schedule expression '{expression}' was not recognized as a valid cron expression"
        " or timespan string."
    )


@pytest.mark.parametrize("expression", ["* * * 31 Feb *", "0 0 0 30,31 2 *", "10675199"])
def test_a_schedule_that_never_comes_has_no_next_occurrence(expression: str) -> None:
    assert parse(expression).next_after(at("2026-01-01")) == NEVER


def test_the_last_moment_there_is_has_no_next_occurrence() -> None:
    assert parse("* * * * * *").next_after(NEVER) == NEVER


def test_a_moment_in_another_zone_is_read_as_the_moment_it_is() -> None:
    noon_in_berlin = datetime(2026, 6, 1, 12, tzinfo=timezone(timedelta(hours=2)))

    assert parse("0 30 * * * *").next_after(noon_in_berlin) == at("2026-06-01 10:30:00")


@pytest.mark.parametrize(
    ("expression", "monitored"),
    [
        ("* * * * * *", False),
        ("*/10 * * * * *", False),
        ("0 * * * * *", True),
        ("* 0 * * * *", True),
        ("* 0-59 0-23 1-31 1-12 0-6", False),
        ("* * * * *", True),
        ("00:00:59", False),
        ("00:01:00", True),
    ],
)
def test_only_a_schedule_of_a_minute_or_more_is_monitored(expression: str, monitored: bool) -> None:
    assert parse(expression).is_monitored is monitored


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    item = st.one_of(
        number.map(str),
        st.tuples(number, number).map(lambda ends: f"{ends[0]}-{ends[1]}"),
        st.tuples(st.just("*") | number.map(str), st.integers(1, 70)).map("{0[0]}/{0[1]}".format),
    )
    return st.just("*") | st.lists(item, min_size=1, max_size=3).map(",".join)


crons = st.tuples(
    fields(0, 59), fields(0, 59), fields(0, 23), fields(1, 31), fields(1, 12), fields(0, 6)
).map(" ".join)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))


def matches(schedule: CronSchedule, moment: datetime) -> bool:
    return (
        moment.second in schedule.seconds
        and moment.minute in schedule.minutes
        and moment.hour in schedule.hours
        and moment.day in schedule.days
        and moment.month in schedule.months
        and moment.isoweekday() % 7 in schedule.weekdays
    )


@settings(deadline=None)
@given(crons, moments)
def test_the_next_occurrence_is_later_and_on_the_schedule(
    expression: str, moment: datetime
) -> None:
    schedule = parse(expression)
    assert isinstance(schedule, CronSchedule)

    found = schedule.next_after(moment)

    assert found == NEVER or (found > moment and found.microsecond == 0)
    assert found == NEVER or matches(schedule, found)


@settings(deadline=None)
@given(crons, moments, st.integers(0, 10**6))
def test_nothing_on_the_schedule_lies_before_the_next_occurrence(
    expression: str, moment: datetime, step: int
) -> None:
    schedule = parse(expression)
    assert isinstance(schedule, CronSchedule)
    between = moment.replace(microsecond=0) + timedelta(seconds=1 + step)

    found = schedule.next_after(moment)

    assert found <= between or not matches(schedule, between)
