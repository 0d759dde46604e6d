"""What `call_http` answers is read whatever form its headers have."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestration.http_answers import HttpAnswer

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
ASKED = "https://tax.example/tax/checks"


def answer(content: Any = "", **headers: Any) -> HttpAnswer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer.of({"statusCode": 202, "headers": named, "content": content})


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("0007", 7),
        ("86400", 86_400),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30),
        ("Saturday, 21-Nov-26 12:00:30 GMT", 30),
        ("Sat Nov 21 12:00:30 2026", 30),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0),
        ("Sat, 21 Nov 2026 13:01:00 +0100", 60),
    ],
)
def test_retry_after_can_be_seconds_or_a_date(said: str, seconds: int) -> None:
    assert answer(Retry_After=said).retry_after(NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "said", ["", "soon", "-5", "1.5", "1e3", "٣", "Sat, 99 Nov 2026 12:00:30 GMT", ",", "0x10"]
)
def test_an_unreadable_retry_after_is_none(said: str) -> None:
    assert answer(Retry_After=said).retry_after(NOW) is None


def test_a_missing_retry_after_is_none() -> None:
    assert answer().retry_after(NOW) is None


@pytest.mark.parametrize("said", ["9" * 8, "9" * 5000, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_huge_retry_after_is_one_year(said: str) -> None:
    assert answer(Retry_After=said).retry_after(NOW) == timedelta(days=365)


@pytest.mark.parametrize("name", ["Retry-After", "retry-after", "RETRY-AFTER"])
def test_header_names_ignore_case(name: str) -> None:
    result = {"statusCode": 202, "headers": {name: "7"}, "content": ""}

    assert HttpAnswer.of(result).retry_after(NOW) == timedelta(seconds=7)


@pytest.mark.parametrize(("values", "first"), [(["7", "9"], "7"), ([], "")])
def test_the_first_of_several_values_counts(values: list[str], first: str) -> None:
    assert answer(Retry_After=values).headers["retry-after"] == first


def test_an_answer_without_headers_or_content_can_be_read() -> None:
    empty = HttpAnswer.of({"statusCode": 204, "headers": None, "content": None})

    assert (empty.status, empty.headers, empty.json()) == (204, {}, None)


@pytest.mark.parametrize(
    ("content", "value"),
    [('{"valid": true}', {"valid": True}), ("<html>", None), ("[" * 100_000, None)],
)
def test_a_body_that_is_not_json_is_none(content: str, value: Any) -> None:
    assert answer(content).json() == value


@pytest.mark.parametrize(
    ("said", "there"),
    [
        ("https://tax.example/tax/checks/1", "https://tax.example/tax/checks/1"),
        ("https://TAX.example/1", "https://TAX.example/1"),
        ("/tax/checks/1", "https://tax.example/tax/checks/1"),
        ("checks/1", "https://tax.example/tax/checks/1"),
    ],
)
def test_a_location_can_be_an_address_or_a_path(said: str, there: str) -> None:
    assert answer(Location=said).location(ASKED) == there


@pytest.mark.parametrize(
    "said",
    [
        "https://evil.example/tax/checks/1",
        "//evil.example/tax/checks/1",
        "http://tax.example/tax/checks/1",
        "https://tax.example:8443/tax/checks/1",
        "https://tax.example@evil.example/1",
        "file:///etc/passwd",
        "http://[",
        "",
    ],
)
def test_a_location_on_another_host_is_none(said: str) -> None:
    assert answer(Location=said).location(ASKED) is None
