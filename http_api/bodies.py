"""Validate bodies and queries of requests before anything is started."""

import json
import re
from datetime import date
from typing import Annotated, Any, Final, TypeVar

import azure.functions as func
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from http_api.problems import FieldError, Problem

BODY_BYTES: Final = 64 * 1024
ERRORS_NAMED: Final = 20
_KEYS: Final = ("code", "clientid")  # how the platform receives a function key, in any case
_DAY: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Body(BaseModel):
    """The body of a request. Unknown fields and values of another type are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Query(BaseModel):
    """The query of a request. An unknown parameter is an error: it may be misspelt."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _day(value: object) -> date:
    """Pydantic itself also reads a number in a text, such as "1767225600", as a day."""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("send a date such as 2026-01-31")
    return date.fromisoformat(value)


Day = Annotated[date, BeforeValidator(_day)]

M = TypeVar("M", bound=BaseModel)
Q = TypeVar("Q", bound=Query)


def read_body(req: func.HttpRequest, kind: type[M], max_bytes: int = BODY_BYTES) -> M:
    """Return the body as this kind. Raises Problem 413, 400 (not JSON), or 422 with the fields."""
    return _checked("body", _capped(req, max_bytes), kind)


def read_message(content: bytes, kind: type[M]) -> M:
    """Return a queue message, validated like a body. Raises Problem, for the log."""
    return _checked("message", content, kind)


def read_event(raw: object, kind: type[M]) -> M | None:
    """Return the data of an external event as this kind, or None if it is malformed.

    The SDK's client delivers an event as JSON text, and plain HTTP delivers the value itself.
    """
    try:
        if isinstance(raw, str):
            return kind.model_validate_json(raw, strict=True)
        return kind.model_validate(raw, strict=True)
    except ValidationError:
        return None


def read_json(req: func.HttpRequest, max_bytes: int = BODY_BYTES) -> Any:
    """Return the body as any JSON value. Raises Problem 413, or 400 if it is not JSON.

    Python's reader accepts more than JSON. A value that cannot be written as JSON is refused.
    """
    try:
        value = json.loads(_capped(req, max_bytes))
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        return value
    except (ValueError, RecursionError) as error:
        raise Problem(400, "no_json", "the body is not JSON: send a JSON value") from error


def read_query(req: func.HttpRequest, kind: type[Q]) -> Q:
    """Return the query as this kind, without the function key. Raises Problem 422."""
    given = {name: value for name, value in req.params.items() if name.lower() not in _KEYS}
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise _problem_of("query", error) from error


def _checked(what: str, content: bytes, kind: type[M]) -> M:
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise _problem_of(what, error) from error


def _capped(req: func.HttpRequest, max_bytes: int) -> bytes:
    body = req.get_body()
    if len(body) > max_bytes:
        detail = f"the body has {len(body)} bytes: send at most {max_bytes}"
        raise Problem(413, "body_too_large", detail)
    return body


def _problem_of(what: str, error: ValidationError) -> Problem:
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    if errors[0]["type"] == "json_invalid":
        return Problem(400, "no_json", f"the {what} is not JSON: {_words(errors[0]['msg'])}")
    fields = [FieldError(field=_path(e["loc"]), message=_words(e["msg"])) for e in errors]
    names = ", ".join(dict.fromkeys(field["field"] or f"the {what}" for field in fields[:5]))
    detail = f"the {what} has {len(fields)} error(s): correct {names}"
    return Problem(422, f"invalid_{what}", detail, fields[:ERRORS_NAMED])


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part)[:64] for part in location)


def _words(message: str) -> str:
    """Pydantic's message without its prefix, `Invalid JSON: ` or `Value error, `."""
    return message.removeprefix("Invalid JSON: ").removeprefix("Value error, ")
