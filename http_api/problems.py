"""Error answers as application/problem+json (RFC 9457)."""

import functools
import json
import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final, ParamSpec, TypedDict

import aiohttp
import azure.functions as func

from http_api.answers import trace_of_request
from orchestration.failures import Failure

P = ParamSpec("P")

log = logging.getLogger(__name__)

# What the SDK's client says if the host fails. The class is Exception.
_HOST_FAILED: Final = re.compile("status code 5[0-9][0-9]|Something went wrong while processing")


class FieldError(TypedDict):
    """What is wrong with one field of a body."""

    field: str
    message: str


class Problem(Exception):
    """An error answer. An HTTP function raises it."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[FieldError] = (),
        **links: str,
    ) -> None:
        """The detail says what is wrong, naming the value, then what to do.

        `links` are URLs for the body, by their names.
        """
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = list(errors)
        self.links = links

    def answer(self) -> func.HttpResponse:
        body = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.links,
            **trace_of_request(),
        }
        if self.errors:
            body["errors"] = self.errors
        return func.HttpResponse(
            json.dumps(body), status_code=self.status, mimetype="application/problem+json"
        )


def answers_problems(
    function: Callable[P, Awaitable[func.HttpResponse]],
) -> Callable[P, Awaitable[func.HttpResponse]]:
    """Turn a Problem that an HTTP function raises into its answer. A bug stays an empty 500.

    If the host cannot reach its task hub, the SDK's client raises, and the answer is 503.
    """

    @functools.wraps(function)
    async def answered(*args: P.args, **kwargs: P.kwargs) -> func.HttpResponse:
        try:
            return await function(*args, **kwargs)
        except Problem as problem:
            return problem.answer()
        except Exception as error:  # the client raises nothing narrower
            if not _is_of_host(error):
                raise
            log.warning("%s: the task hub failed: %s", function.__name__, error)
            return hub_unavailable().answer()

    return answered


def hub_unavailable() -> Problem:
    """The host fails. Usually its storage does not answer."""
    detail = "the task hub does not answer: try again; your request may have taken effect"
    return Problem(503, "hub_unavailable", detail)


def _is_of_host(error: Exception) -> bool:
    return isinstance(error, aiohttp.ClientError) or bool(_HOST_FAILED.search(str(error)))


@contextmanager
def failures_as_problems(**statuses: int) -> Iterator[None]:
    """Turn a Failure into a Problem. `statuses` gives the statuses of some codes.

    Other codes are 503: the request is right, but something that it needs is missing.
    """
    try:
        yield
    except Failure as failure:
        status = statuses.get(failure.code, 503)
        raise Problem(status, failure.code, failure.message) from failure
