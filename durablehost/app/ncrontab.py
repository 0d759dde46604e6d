"""Schedules of timer triggers: NCRONTAB expressions and TimeSpans, read as the host reads them.

Times are UTC; durablehost ignores `WEBSITE_TIME_ZONE`.
"""

import calendar
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from typing import Protocol

# What the host computes for a schedule that is never due, such as the 31st of February.
NEVER = datetime.max.replace(tzinfo=UTC)

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
# Lowest and highest value, and names: seconds, minutes, hours, days, months, days of the week.
_FIELDS: tuple[tuple[int, int, Sequence[str]], ...] = (
    (0, 59, ()),
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, _MONTHS),
    (0, 6, _WEEKDAYS),
)


class Schedule(Protocol):
    """The schedule of a timer trigger."""

    @property
    def is_cron(self) -> bool:
        """Whether it is a cron expression."""
        ...

    @property
    def is_monitored(self) -> bool:
        """Whether a missed occurrence runs later; not for schedules of a few seconds."""
        ...

    def next_after(self, moment: datetime) -> datetime:
        """The first occurrence later than `moment`, in UTC; `NEVER` if there is none."""
        ...


@dataclass(frozen=True)
class CronSchedule:
    """A cron expression: a moment is due if all six of its fields are in these lists."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]  # Sunday is 0
    is_cron = True

    @property
    def is_monitored(self) -> bool:
        coarser = (self.minutes, self.hours, self.days, self.months, self.weekdays)
        every_minute = all(
            len(values) == high - low + 1
            for values, (low, high, _) in zip(coarser, _FIELDS[1:], strict=True)
        )
        return not (every_minute and len(self.seconds) > 1)

    def next_after(self, moment: datetime) -> datetime:
        moment = moment.astimezone(UTC).replace(microsecond=0)
        if moment >= NEVER - timedelta(seconds=1):
            return NEVER
        start = moment + timedelta(seconds=1)
        for day in self._days_from(start.date()):
            earliest = start.time() if day == start.date() else time.min
            if (at := self._time_from(earliest)) is not None:
                return datetime.combine(day, at, UTC)
        return NEVER

    def _days_from(self, start: date) -> Iterator[date]:
        # The calendar repeats after 400 years: a day that is not found by then never comes.
        for year in range(start.year, min(start.year + 400, MAXYEAR) + 1):
            for month in self.months:
                if (year, month) < (start.year, start.month):
                    continue
                length = calendar.monthrange(year, month)[1]
                for day in (date(year, month, day) for day in self.days if day <= length):
                    if day >= start and day.isoweekday() % 7 in self.weekdays:
                        yield day

    def _time_from(self, earliest: time) -> time | None:
        for hour in self.hours:
            if hour < earliest.hour:
                continue
            for minute in self.minutes:
                if (hour, minute) < (earliest.hour, earliest.minute):
                    continue
                for second in self.seconds:
                    if (at := time(hour, minute, second)) >= earliest:
                        return at
        return None


@dataclass(frozen=True)
class IntervalSchedule:
    """Due after each interval."""

    interval: timedelta
    is_cron = False

    @property
    def is_monitored(self) -> bool:
        return self.interval >= timedelta(minutes=1)

    def next_after(self, moment: datetime) -> datetime:
        try:
            # The host accepts an interval of zero or less, and waits its shortest time.
            return moment.astimezone(UTC) + max(self.interval, timedelta(milliseconds=1))
        except OverflowError:
            return NEVER


def parse(expression: str) -> Schedule:
    """Read a cron expression of six fields (five: no seconds), or a TimeSpan such as 00:05:00."""
    parts = [part for part in expression.split(" ") if part]
    if len(parts) == 5:
        parts.insert(0, "0")
    if len(parts) == 6:
        try:
            fields = zip(parts, _FIELDS, strict=True)
            return CronSchedule(*(_parse_field(text, *field) for text, field in fields))
        except ValueError:
            pass  # the host, too, tries a TimeSpan next
    interval = parse_time_span(expression)
    if interval is None:
        raise ValueError(
            f"The schedule expression '{expression}' was not recognized as a valid cron expression"
            " or timespan string."
        )
    return IntervalSchedule(interval)


def _parse_field(text: str, low: int, high: int, names: Sequence[str]) -> tuple[int, ...]:
    values: set[int] = set()
    for item in text.split(","):
        span, slash, every = item.partition("/")
        if slash and not re.fullmatch(r"[+-]?[0-9]+", every):
            raise ValueError(f"{every!r} is not a step")
        first, last = _parse_span(span, low, high, names, open_ended=bool(slash))
        if first < low or last > high:
            raise ValueError(f"{span!r} is not between {low} and {high}")
        # NCrontab reads a step of zero or less as one.
        values.update(range(first, last + 1, max(1, int(every or 1))))
    return tuple(sorted(values))


def _parse_span(
    text: str, low: int, high: int, names: Sequence[str], *, open_ended: bool
) -> tuple[int, int]:
    if text == "*":
        return low, high
    first_text, dash, last_text = text.partition("-")
    first = _parse_value(first_text, low, names)
    if dash:
        last = _parse_value(last_text, low, names)
        # NCrontab sorts the ends of a range: FRI-MON is Monday to Friday.
        return min(first, last), max(first, last)
    return first, high if open_ended else first


def _parse_value(text: str, low: int, names: Sequence[str]) -> int:
    if re.fullmatch(r"[0-9]+", text):
        return int(text)
    for value, name in enumerate(names, start=low):
        # NCrontab accepts any beginning of a name: J is January, SEPT is September.
        if text and name.casefold().startswith(text.casefold()):
            return value
    raise ValueError(f"{text!r} is not a value")


_FRACTION = r"(?:\.(?P<f>[0-9]{1,7}))?"
# In the order of .NET, so 30:00:00 is thirty days.
_TIME_SPANS = (
    r"(?P<d>[0-9]+)",
    r"(?P<h>[0-9]+):(?P<m>[0-9]+)",
    r"(?P<h>[0-9]+):(?P<m>[0-9]+):(?P<s>[0-9]+)" + _FRACTION,
    r"(?P<d>[0-9]+)[.:](?P<h>[0-9]+):(?P<m>[0-9]+)",
    r"(?P<d>[0-9]+)[.:](?P<h>[0-9]+):(?P<m>[0-9]+):(?P<s>[0-9]+)" + _FRACTION,
)
_MOST_DAYS = 10_675_199


def parse_time_span(text: str) -> timedelta | None:
    """Read a .NET TimeSpan; None if the text is not one."""
    text = text.strip()
    sign = -1 if text.startswith("-") else 1
    for form in _TIME_SPANS:
        if match := re.fullmatch(form, text.removeprefix("-")):
            found = {"d": "0", "h": "0", "m": "0", "s": "0", "f": "0"}
            found |= {name: digits for name, digits in match.groupdict().items() if digits}
            days, hours, minutes, seconds = (int(found[name]) for name in "dhms")
            if days <= _MOST_DAYS and hours < 24 and minutes < 60 and seconds < 60:
                micros = int(found["f"].ljust(7, "0")) // 10
                return sign * timedelta(days, seconds, micros, minutes=minutes, hours=hours)
    return None
