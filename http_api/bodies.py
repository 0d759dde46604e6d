"""Bodies of requests, checked before anything is started."""

from typing import Final, TypeVar

import azure.functions as func
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from http_api.problems import FieldError, Problem

MAX_BYTES: Final = 64 * 1024
_MOST_ERRORS: Final = 20


class Body(BaseModel):
    """The body of a request: no field it does not know, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


B = TypeVar("B", bound=Body)


def read_body(req: func.HttpRequest, kind: type[B], max_bytes: int = MAX_BYTES) -> B:
    """Return the body as this kind. Raises Problem: 413, 400 for no JSON, 422 naming fields."""
    body = req.get_body()
    if len(body) > max_bytes:
        raise Problem(
            413, "body_too_large", f"the body has {len(body)} bytes: send at most {max_bytes}"
        )
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise _problem_of(error.errors(include_url=False, include_context=False)) from error


def _problem_of(errors: list[ErrorDetails]) -> Problem:
    if errors[0]["type"] == "json_invalid":
        return Problem(400, "no_json", f"the body is no JSON: {_words(errors[0]['msg'])}")
    fields = [FieldError(field=_path(e["loc"]), message=_words(e["msg"])) for e in errors]
    names = ", ".join(dict.fromkeys(field["field"] or "the body" for field in fields[:5]))
    detail = f"the body has {len(errors)} wrong field(s): correct {names}"
    return Problem(422, "invalid_body", detail, fields[:_MOST_ERRORS])


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part)[:64] for part in location)


def _words(message: str) -> str:
    """Pydantic's words without its heading, such as 'Invalid JSON: …' or 'Value error, …'."""
    return message.removeprefix("Invalid JSON: ").removeprefix("Value error, ")
