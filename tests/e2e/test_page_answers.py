"""An answer that is not as its page says is found out, and what varies is let pass."""

from typing import Any

import pytest

from tests.pages import Names, difference


@pytest.mark.parametrize(
    ("page", "answer"),
    [
        ({"id": "a", "…": "…"}, {"id": "a", "more": 1}),
        ({"id": "…"}, {"id": 5}),
        ({"at": "2026-…Z"}, {"at": "2026-01-01T00:00:00Z"}),
        ([{"n": 1}, "…"], [{"n": 1}, {"n": 2}]),
        ({"url": "http://x/<token>"}, {"url": "http://x/abc"}),
    ],
)
def test_values_that_vary_may_differ(page: Any, answer: Any) -> None:
    assert difference(page, answer, Names()) == ""


@pytest.mark.parametrize(
    ("page", "answer"),
    [
        ({"id": "a"}, {"id": "b"}),
        ({"id": "a"}, {"id": "a", "more": 1}),
        ({"id": "a", "…": "…"}, {"more": 1}),
        ({"at": "2026-…Z"}, {"at": "2027-01-01T00:00:00Z"}),
        ([1], [1, 2]),
        ([1], {"1": 1}),
        ({"n": 1}, {"n": "1"}),
        (None, {}),
    ],
)
def test_any_other_difference_is_reported(page: Any, answer: Any) -> None:
    assert difference(page, answer, Names())


def test_a_name_stands_for_the_same_text_later() -> None:
    names = Names()

    assert difference({"link": "…token=<token>"}, {"link": "http://x?token=abc"}, names) == ""
    assert names.filled("POST /decide?token=<token>") == "POST /decide?token=abc"
