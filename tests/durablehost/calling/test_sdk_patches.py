"""The quick reader of time stamps, held against the one it stands in for."""

from datetime import UTC, datetime

import pytest
from dateutil.parser import parse  # type: ignore[import-untyped]  # ships no types
from hypothesis import given
from hypothesis import strategies as st

from durablehost.calling import sdk_patches
from durablehost.hub.history import stamp


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1, 1, 1)))
def test_a_stamp_is_read_as_dateutil_reads_it(time: datetime) -> None:
    read, expected = sdk_patches.read(stamp(time)), parse(stamp(time))

    assert read == expected
    assert type(read.tzinfo) is type(expected.tzinfo)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T02:07:03.2353867Z",  # seven digits, as .NET writes them
        "2026-11-21T02:07:02.301Z",
        "2026-11-21T02:07:03Z",
        "2026-11-21T02:07:03+02:00",
        "2026-11-21T02:07:03.5",
        "21 Nov 2026 02:07 GMT",
    ],
)
def test_other_spellings_are_read_alike(text: str) -> None:
    assert sdk_patches.read(text) == parse(text)


@pytest.mark.parametrize("text", ["", "nonsense", "2026-13-21T02:07:03.000000Z"])
def test_what_is_no_time_is_refused_alike(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse(text)
    with pytest.raises(ValueError, match=r".*"):
        sdk_patches.read(text)
