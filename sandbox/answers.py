"""Answers of all parts of the sandbox: JSON, refusals as `{code, message}`, idempotency keys."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
KEY_HEADER = "Idempotency-Key"


class Part(Protocol):
    """One system of the sandbox: its routes and its initial state."""

    def routes(self) -> list[web.RouteDef]: ...

    def reset(self) -> None: ...


class Refused(Exception):
    """A request that is understood and refused. It changes nothing."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Body(BaseModel):
    """The body of a request. Unknown fields are errors, and so is "5" for a number."""

    model_config = ConfigDict(extra="forbid", strict=True, str_max_length=10_000)


class KeyToReverse(Body):
    """The idempotency key of the request to reverse, whether it took effect or not."""

    key: str = Field(min_length=1, max_length=255)


BodyT = TypeVar("BodyT", bound=Body)


async def body(request: web.Request, model: type[BodyT]) -> BodyT:
    """Return the body as this model. Raises a refusal that names the field."""
    try:
        return model.model_validate_json(await request.read() or b"{}")
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "body"
        raise Refused(400, "bad_request", f"{place}: {first['msg']}") from None


def refusal(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message}, status=status)


@web.middleware
async def refusals_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every failure into `{code, message}`."""
    try:
        return await handler(request)
    except Refused as refused:
        return refusal(refused.status, refused.code, str(refused))
    except web.HTTPException as error:
        code = error.reason.lower().replace(" ", "_")
        return refusal(error.status, code, f"{request.method} {request.path}: {error.reason}")
    except Exception:  # the work loop's top: a bug of ours must not end the server
        log.exception("%s %s failed", request.method, request.path)
        return refusal(500, "bug", "the sandbox has a bug; its console says where")


class Answers:
    """The first answer to each idempotency key. A repeated request gets it again.

    A refusal changed nothing and is not kept: the same key may ask anew, unless it is barred.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, Mapping[str, Any]]] = {}
        self._barred: set[str] = set()

    def bar(self, key: str) -> None:
        """Refuse later requests with this key: they were sent earlier and arrive too late."""
        self._barred.add(key)

    async def once(
        self, request: web.Request, work: Callable[[str], Mapping[str, Any]]
    ) -> web.Response:
        """Do the work unless its key is known. `work` receives the key and must not await."""
        key = request.headers.get(KEY_HEADER, "")
        if not 0 < len(key) <= 255:
            message = f"send the header {KEY_HEADER} with 1 to 255 characters"
            raise Refused(400, "idempotency_key_missing", message)
        sent = await request.read()
        request_text = json.dumps([request.path, json.loads(sent or b"{}")], sort_keys=True)
        known = self._known.get(key)
        if known is None:
            if key in self._barred:
                raise Refused(409, "key_reversed", f"what has the key {key} was reversed before")
            known = self._known[key] = (request_text, work(key))
            return web.json_response(known[1], status=201)
        if known[0] != request_text:
            message = f"the key {key} was sent before with another request"
            raise Refused(422, "idempotency_key_reused", message)
        return web.json_response(known[1], status=201, headers={"Idempotent-Replayed": "true"})
