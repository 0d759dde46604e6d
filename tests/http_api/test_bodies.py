"""A body is what the model says, or an answer that names what is wrong with it."""

import azure.functions as func
import pytest
from pydantic import Field

from http_api.bodies import BODY_BYTES, Body, Query, read_body, read_json, read_message, read_query
from http_api.problems import Problem


class Line(Body):
    cents: int = Field(gt=0)


class Order(Body):
    number: str = Field(max_length=8)
    lines: list[Line] = Field([], max_length=3)


class Paging(Query):
    top: int = Field(10, le=100)


def request(body: bytes = b"", query: dict[str, str] | None = None) -> func.HttpRequest:
    return func.HttpRequest("POST", "http://localhost/api/orders", body=body, params=query or {})


def refused(body: bytes) -> Problem:
    with pytest.raises(Problem) as caught:
        read_body(request(body), Order)
    return caught.value


def test_a_valid_body_is_read() -> None:
    order = read_body(request(b'{"number": "A", "lines": [{"cents": 5}]}'), Order)

    assert order == Order(number="A", lines=[Line(cents=5)])


@pytest.mark.parametrize(
    "body", [b"", b"{", b"nothing", b"\xff", b'{"number": "A"', b'{"number": "\xed\xa0\x80"}']
)
def test_a_body_that_is_not_json_is_400(body: bytes) -> None:
    problem = refused(body)

    assert (problem.status, problem.code, problem.errors) == (400, "no_json", [])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"[]", ""),
        (b"null", ""),
        (b"{}", "number"),
        (b'{"number": 5}', "number"),
        (b'{"number": "123456789"}', "number"),
        (b'{"number": "A", "colour": 1}', "colour"),
        (b'{"number": "A", "lines": [{"cents": 1}, {"cents": 0}]}', "lines.1.cents"),
        (b'{"number": "A", "lines": [{"cents": "1"}]}', "lines.0.cents"),
    ],
)
def test_a_wrong_field_is_422_and_named(body: bytes, field: str) -> None:
    problem = refused(body)

    assert (problem.status, problem.code) == (422, "invalid_body")
    assert [error["field"] for error in problem.errors] == [field]


def test_every_wrong_field_is_named_at_once() -> None:
    problem = refused(b'{"number": 5, "lines": 6, "colour": 7}')

    assert {error["field"] for error in problem.errors} == {"number", "lines", "colour"}


def test_a_thousand_wrong_fields_make_a_short_answer() -> None:
    many = ",".join(f'"{"x" * 100}{number}": 1' for number in range(400))

    answer = refused(f"{{{many}}}".encode()).answer()

    assert len(answer.get_body()) < 5_000


def test_a_problem_does_not_repeat_the_body_of_the_request() -> None:
    answer = refused(b'{"number": "A", "lines": "a-secret-value"}').answer()

    assert b"a-secret-value" not in answer.get_body()


@pytest.mark.parametrize(("size", "status"), [(BODY_BYTES, 400), (BODY_BYTES + 1, 413)])
def test_a_body_has_a_greatest_size(size: int, status: int) -> None:
    assert refused(b"x" * size).status == status


@pytest.mark.parametrize("body", [b"null", b"5", b'"text"', b"[1]", b'{"a": {}}'])
def test_any_json_value_is_read_if_all_are_allowed(body: bytes) -> None:
    assert read_json(request(b" " + body)) == read_json(request(body))


@pytest.mark.parametrize(
    "body", [b"", b"{", b"NaN", b"[1e999]", b'"\\ud800"', b"9" * 5_000, b"[" * 60_000, b"\xff\xfe"]
)
def test_an_invalid_json_value_is_400(body: bytes) -> None:
    with pytest.raises(Problem) as caught:
        read_json(request(body))

    assert (caught.value.status, caught.value.code) == (400, "no_json")


def test_a_query_is_read_with_its_defaults() -> None:
    assert read_query(request(query={"top": "5"}), Paging).top == 5
    assert read_query(request(), Paging).top == 10


@pytest.mark.parametrize("name", ["tpo", "TOP"])
def test_a_misspelt_parameter_is_refused(name: str) -> None:
    with pytest.raises(Problem) as caught:
        read_query(request(query={name: "5"}), Paging)

    assert (caught.value.status, caught.value.code) == (422, "invalid_query")


def test_a_message_of_a_queue_is_read_as_a_body_is() -> None:
    assert read_message(b'{"number": "A"}', Order) == Order(number="A", lines=[])


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b"no json", "no_json", "the message is not JSON"),
        (b"\xff", "no_json", "the message is not JSON"),
        (b'{"number": 5}', "invalid_message", "the message has 1 error(s): correct number"),
    ],
)
def test_a_message_that_is_not_right_raises_what_the_log_needs(
    content: bytes, code: str, says: str
) -> None:
    with pytest.raises(Problem) as caught:
        read_message(content, Order)

    assert (caught.value.code, str(caught.value)[: len(says)]) == (code, says)
