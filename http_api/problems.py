"""Answers that say what is wrong, as application/problem+json (RFC 9457)."""

import functools
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import ParamSpec, TypedDict

import azure.functions as func

from orchestration.failures import Failure

P = ParamSpec("P")


class FieldError(TypedDict):
    """What is wrong with one field of a body."""

    field: str
    message: str


class Problem(Exception):
    """An answer that is not the one asked for; a starter raises it and is done."""

    def __init__(
        self, status: int, code: str, detail: str, errors: Sequence[FieldError] = ()
    ) -> None:
        """The detail says what is wrong, naming the value, then what to do."""
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = list(errors)

    def answer(self) -> func.HttpResponse:
        body = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.errors:
            body["errors"] = self.errors
        return func.HttpResponse(
            json.dumps(body), status_code=self.status, mimetype="application/problem+json"
        )


def answers_problems(
    function: Callable[P, Awaitable[func.HttpResponse]],
) -> Callable[P, Awaitable[func.HttpResponse]]:
    """Turn a Problem that an HTTP function raises into its answer; a bug stays an empty 500."""

    @functools.wraps(function)
    async def answered(*args: P.args, **kwargs: P.kwargs) -> func.HttpResponse:
        try:
            return await function(*args, **kwargs)
        except Problem as problem:
            return problem.answer()

    return answered


@contextmanager
def failures_as_503() -> Iterator[None]:
    """Turn a Failure into 503: the request is right, and something that it needs is missing."""
    try:
        yield
    except Failure as failure:
        raise Problem(503, failure.code, failure.message) from failure
