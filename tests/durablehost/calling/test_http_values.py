"""What an HTTP function may return, and what the caller gets for it."""

from typing import Any

import azure.functions as func
import pytest

from durablehost.calling.http_values import as_http_response


def test_a_response_is_returned_unchanged() -> None:
    response = func.HttpResponse(b"\x00", status_code=299)

    assert as_http_response(response) is response


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("just text", "just text"),
        ("", ""),
        ("ü", "ü"),
        ('{"a": [1, {"ü": null}]}', '{\n  "a": [\n    1,\n    {\n      "ü": null\n    }\n  ]\n}'),
        ("[]", "[]"),
        ('"quoted"', "quoted"),
        ("true", "True"),
        ("1.50", "1.5"),
        ("2.0", "2"),
        ("null", ""),
        ("{bad", "{bad"),
    ],
)
def test_a_returned_text_is_read_as_json_and_written_again(text: str, body: str) -> None:
    answer = as_http_response(text)

    assert (answer.status_code, answer.get_body().decode()) == (200, body)
    assert answer.mimetype == "text/plain"


@pytest.mark.parametrize(
    ("text", "status", "body"),
    [
        ('{"body": "made", "status": 201}', 201, "made"),
        ('{"Body": {"a": 1}, "statusCode": "202", "status": 500}', 202, '{"a":1}'),
        ('{"body": [1]}', 200, "System.Collections.Generic.List`1[System.Object]"),
        ('{"body": null, "status": "many"}', 200, ""),
    ],
)
def test_a_text_that_describes_an_answer_is_taken_for_one(
    text: str, status: int, body: str
) -> None:
    answer = as_http_response(text)

    assert (answer.status_code, answer.get_body().decode()) == (status, body)


def test_a_described_answer_has_its_headers() -> None:
    answer = as_http_response('{"body": "<a/>", "headers": {"Content-Type": "text/xml", "X-N": 1}}')

    assert dict(answer.headers) == {"Content-Type": "text/xml", "X-N": "1"}


@pytest.mark.parametrize("value", [None, {"a": 1}, [1], 5, b"bytes"])
def test_anything_else_is_no_answer(value: Any) -> None:
    with pytest.raises(TypeError, match=f'for Python type "{type(value).__name__}"'):
        as_http_response(value)
