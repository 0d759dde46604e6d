"""A Problem is an answer; a bug is not made one."""

import json

import azure.functions as func
import pytest

from http_api.problems import FieldError, Problem, answers_problems, failures_as_problems
from orchestration.failures import Failure


async def test_a_problem_that_is_raised_becomes_its_answer() -> None:
    @answers_problems
    async def refusing() -> func.HttpResponse:
        raise Problem(
            409, "other_work", "it says something else", [FieldError(field="a", message="b")]
        )

    answer = await refusing()

    assert (answer.status_code, answer.mimetype) == (409, "application/problem+json")
    assert json.loads(answer.get_body()) == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "it says something else",
        "code": "other_work",
        "errors": [{"field": "a", "message": "b"}],
    }


async def test_an_answer_passes_unchanged() -> None:
    given = func.HttpResponse("fine")

    @answers_problems
    async def answering() -> func.HttpResponse:
        return given

    assert await answering() is given


async def test_an_unexpected_exception_is_an_empty_500() -> None:
    @answers_problems
    async def buggy() -> func.HttpResponse:
        raise KeyError("a")

    with pytest.raises(KeyError):
        await buggy()


async def test_a_failure_gets_the_status_of_its_code() -> None:
    with (
        pytest.raises(Problem, match="it is too large") as raised,
        failures_as_problems(too_large=413, unknown=404),
    ):
        raise Failure("too_large", "it is too large")

    assert (raised.value.status, raised.value.code) == (413, "too_large")


async def test_a_failure_without_a_status_of_its_own_is_503_with_its_code() -> None:
    @answers_problems
    async def needing() -> func.HttpResponse:
        with failures_as_problems():
            raise Failure("storage_unavailable", "no storage answers", retriable=True)

    answer = await needing()

    assert answer.status_code == 503
    body = json.loads(answer.get_body())
    assert (body["code"], body["detail"]) == ("storage_unavailable", "no storage answers")
