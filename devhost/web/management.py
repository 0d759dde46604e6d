"""The HTTP management API of the durable extension.

The same handler serves the public webhooks and the endpoint that the SDK's client speaks to.
"""

import asyncio
import base64
import binascii
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from devhost.backend import Query
from devhost.errors import (
    BadRequest,
    InstanceEnded,
    InstanceExists,
    InstanceNotFound,
    UnknownFunction,
    WrongState,
)
from devhost.history import compact
from devhost.hub import Hub, state_of
from devhost.web.paths import decoded_path, query_parameters, split_target
from devhost.web.shown import shown_history, shown_instance
from devhost.web.urls import management_urls

_STATUSES: Final = {
    status.lower(): status
    for status in (
        "Running",
        "Completed",
        "ContinuedAsNew",
        "Failed",
        "Canceled",
        "Terminated",
        "Pending",
        "Suspended",
    )
}
_TOKEN: Final = "x-ms-continuation-token"
_LONGEST_ID: Final = 256

Saved = Callable[[], Awaitable[None]]


class _NothingHere(Exception):
    """No such route, or not with this verb: 404, never 405."""


class Management:
    """Answers requests for one task hub."""

    def __init__(self, hub: Hub, saved: Saved, task_hub: str, connection: str, key: str) -> None:
        """`saved` returns once all that was written is on disk: no answer goes out before."""
        self._hub = hub
        self._saved = saved
        self._urls = (task_hub, connection, key)

    async def handle(self, request: web.Request, path: str) -> web.Response:
        """Answer a request for the raw path below the API's root."""
        try:
            return await self._route(request, path)
        except (_NothingHere, InstanceNotFound):
            return web.Response(status=404)
        except InstanceEnded:
            return web.Response(status=410)
        except InstanceExists as error:
            return _json({"Message": str(error)}, 409)
        except (BadRequest, UnknownFunction) as error:
            return _json({"Message": str(error), "ExceptionMessage": str(error)}, 400)
        except WrongState as error:
            return _json(
                {
                    "Message": "Something went wrong while processing your request",
                    "ExceptionMessage": str(error),
                    "ExceptionType": "System.InvalidOperationException",
                    "StackTrace": "",
                },
                500,
            )

    async def _route(self, request: web.Request, path: str) -> web.Response:
        # A slash that is escaped stays so, and no id has one.
        parts = [decoded_path(part) for part in path.strip("/").split("/")]
        if "%2F" in path.upper():
            raise _NothingHere
        asked = _Asked(request)
        match [request.method, parts[0].lower(), *parts[1:]]:
            case ["POST", "orchestrators", name]:
                return await self._start(asked, name, None)
            case ["POST", "orchestrators", name, instance_id]:
                return await self._start(asked, name, instance_id)
            case ["GET", "instances"]:
                return self._list(asked)
            case ["DELETE", "instances"]:
                return await self._purge_by(asked)
            case ["GET", "instances", instance_id]:
                return self._status(asked, instance_id)
            case ["DELETE", "instances", instance_id]:
                return await self._purge(instance_id)
            case ["POST", "instances", instance_id, operation]:
                return await self._operate(asked, instance_id, operation.lower())
            case ["POST", "instances", instance_id, word, name] if word.lower() == "raiseevent":
                return await self._raise_event(asked, instance_id, name)
            case [_, "entities", *rest]:
                return await self._entities(asked, rest)
            case ["POST", "makeprimary"]:
                return web.Response()
        raise _NothingHere

    # Orchestrations

    async def _start(self, asked: "_Asked", name: str, instance_id: str | None) -> web.Response:
        _check_id(instance_id)
        pause = asked.pause()
        input_text = await asked.input_text()
        started = self._hub.start(name, instance_id, input_text, asked.query.get("version"))
        await self._saved()
        if pause is not None and await self._wait(started, *pause):
            instance = self._hub.status(started)
            if instance.status == "Completed":
                return _json(json.loads(instance.output or "null"))
            return self._status(asked, started)
        return self._accepted(asked, started)

    async def _wait(self, instance_id: str, within: float, every: float) -> bool:
        """Whether an instance ends in time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within
        while not self._hub.status(instance_id).ended:
            if loop.time() >= until:
                return False
            await asyncio.sleep(min(every, max(0.0, until - loop.time())))
        return True

    def _accepted(self, asked: "_Asked", instance_id: str) -> web.Response:
        urls = management_urls(asked.origin, instance_id, *self._urls)
        del urls["rewindPostUri"]
        headers = {"Location": urls["statusQueryGetUri"], "Retry-After": "10"}
        return _json(urls, 202, headers)

    def _status(self, asked: "_Asked", instance_id: str) -> web.Response:
        instance = self._hub.status(instance_id)
        with_input = asked.flag("showInput", default=True)
        events = None
        if asked.flag("showHistory") and instance.status != "Pending":
            events = shown_history(
                self._hub.events(instance_id),
                with_output=asked.flag("showHistoryOutput"),
                with_input=with_input,
            )
        shown = shown_instance(instance, with_input=with_input, events=events)
        if not instance.ended:
            return _json(shown, 202, {"Location": asked.url, "Retry-After": "5"})
        failed = instance.status == "Failed" and asked.flag("returnInternalServerErrorOnFailure")
        return _json(shown, 500 if failed else 200)

    def _list(self, asked: "_Asked") -> web.Response:
        query = asked.list_query()
        found = self._hub.list_instances(query)
        with_input = asked.flag("showInput", default=True)
        shown = [shown_instance(instance, with_input=with_input) for instance in found]
        return _json(shown, headers=_next_page(query, [instance.id for instance in found]))

    async def _operate(self, asked: "_Asked", instance_id: str, operation: str) -> web.Response:
        reason = asked.query.get("reason", "")
        match operation:
            case "terminate":
                self._hub.terminate(instance_id, reason)
            case "suspend":
                self._hub.suspend(instance_id, reason)
            case "resume":
                self._hub.resume(instance_id, reason)
            case "rewind":
                return await self._rewind(instance_id, reason)
            case "restart":
                return await self._restart(asked, instance_id)
            case _:
                raise _NothingHere
        await self._saved()
        return web.Response(status=202)

    async def _rewind(self, instance_id: str, reason: str) -> web.Response:
        try:
            self._hub.rewind(instance_id, reason)
        except InstanceNotFound as error:
            return _json(str(error), 404)
        except WrongState as error:
            return _json(str(error), 412)
        await self._saved()
        return web.Response(status=202)

    async def _restart(self, asked: "_Asked", instance_id: str) -> web.Response:
        new_id = asked.flag("restartWithNewInstanceId", default=True)
        restarted = self._hub.restart(instance_id, new_id=new_id)
        await self._saved()
        return self._accepted(asked, restarted)

    async def _raise_event(self, asked: "_Asked", instance_id: str, name: str) -> web.Response:
        if not name:
            raise _NothingHere
        if not asked.is_json:
            raise BadRequest("Only application/json request content is supported")
        value = await asked.json()
        self._hub.raise_event(instance_id, name, value)
        await self._saved()
        return web.Response(status=202)

    async def _purge(self, instance_id: str) -> web.Response:
        try:
            purged = self._hub.purge(instance_id)
        except WrongState as error:
            return _json(str(error), 412)
        if not purged:
            raise _NothingHere
        await self._saved()
        return _json({"instancesDeleted": purged})

    async def _purge_by(self, asked: "_Asked") -> web.Response:
        query = asked.list_query()
        if query.created_from is None:
            return _json("Please provide value for 'createdTimeFrom' parameter.", 400)
        purged = self._hub.purge_by(query.created_from, query.created_to, query.statuses)
        if not purged:
            raise _NothingHere
        await self._saved()
        return _json({"instancesDeleted": purged})

    # Entities

    async def _entities(self, asked: "_Asked", rest: list[str]) -> web.Response:
        method = asked.request.method
        if method == "GET" and len(rest) < 2:
            return self._list_entities(asked, rest[0] if rest else None)
        if len(rest) != 2:
            raise _NothingHere
        name, key = rest[0], "" if rest[1] == "$" else rest[1]
        if method == "GET":
            return _json(json.loads(self._hub.entity_state(name, key)))
        if method not in ("POST", "DELETE"):
            raise _NothingHere
        operation = "delete" if method == "DELETE" else asked.query.get("op", "")
        self._hub.signal(name, key, operation, await asked.signal_text())
        await self._saved()
        return web.Response(status=202)

    def _list_entities(self, asked: "_Asked", name: str | None) -> web.Response:
        query = asked.list_query()
        since, until = asked.time("lastOperationTimeFrom"), asked.time("lastOperationTimeTo")
        found = self._hub.list_entities(name, query)
        shown = []
        for entity in found:
            if (since and entity.updated < since) or (until and entity.updated > until):
                continue
            _, entity_name, key = entity.id.split("@", 2)
            state = json.loads(state_of(entity)) if asked.flag("fetchState") else None
            shown.append(
                {
                    "entityId": {"name": entity_name, "key": key},
                    "lastOperationTime": entity.updated.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "state": state,
                }
            )
        return _json(shown, headers=_next_page(query, [entity.id for entity in found]))


class _Asked:
    """A request, read as the host reads it."""

    def __init__(self, request: web.Request) -> None:
        self.request = request
        self.query = query_parameters(split_target(request.raw_path)[1])
        self._folded = {name.lower(): value for name, value in self.query.items()}
        self.origin = f"{request.scheme}://{request.host}"
        self.url = self.origin + request.raw_path

    @property
    def is_json(self) -> bool:
        given = self.request.headers.get("Content-Type", "")
        return given.partition(";")[0].strip().lower() == "application/json"

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self._folded.get(name.lower(), "").strip().lower()
        return {"true": True, "false": False}.get(value, default)

    def time(self, name: str) -> datetime | None:
        """A time, None where there is none or it is none: the host ignores junk."""
        try:
            time = datetime.fromisoformat(self._folded.get(name.lower(), ""))
        except ValueError:
            return None
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)

    def pause(self) -> tuple[float, float] | None:
        """How long a start is to wait for the end, and how often to look."""
        if "timeout" not in self._folded or "pollinginterval" not in self._folded:
            return None
        try:
            within = float(self._folded["timeout"])
            every = float(self._folded["pollinginterval"])
        except ValueError:
            return None
        if every > within:
            raise BadRequest(
                f"Total timeout {self._folded['timeout']} should be bigger than retry timeout"
                f" {self._folded['pollinginterval']}"
            )
        return within, every

    def list_query(self) -> Query:
        named = self._folded.get("runtimestatus", "").split(",")
        statuses = {_STATUSES[name.strip().lower()] for name in named if name.lower() in _STATUSES}
        top = self._folded.get("top", "")
        return Query(
            prefix=self._folded.get("instanceidprefix", ""),
            statuses=frozenset(statuses),
            created_from=self.time("createdTimeFrom"),
            created_to=self.time("createdTimeTo"),
            after=_read_token(self.request.headers.get(_TOKEN, "")),
            top=int(top) if top.isdecimal() and 0 < int(top) <= 1000 else 100,
        )

    async def json(self) -> Any:
        try:
            return json.loads(await self.request.text())
        except (ValueError, RecursionError, LookupError):
            raise BadRequest("Invalid JSON content") from None

    async def input_text(self) -> str | None:
        """The input of a start as JSON text; None where the body is empty or null."""
        if not self.request.body_exists:
            # Neither a body nor its length: the host takes it as an empty string.
            return None if "Content-Length" in self.request.headers else '""'
        text = await self._text()
        if not text:
            return None
        value = await self.json()
        return None if value is None else text

    async def signal_text(self) -> str | None:
        """The input of a signal as JSON text, None where there is none."""
        if not self.request.body_exists or not (text := await self._text()):
            return None
        if self.is_json:
            await self.json()
            return text
        return compact(text)

    async def _text(self) -> str:
        try:
            return await self.request.text()
        except (ValueError, LookupError):
            raise BadRequest("Invalid JSON content") from None


def _check_id(instance_id: str | None) -> None:
    if instance_id is None:
        return
    if len(instance_id) > _LONGEST_ID:
        raise BadRequest(f"Instance ID lengths must not exceed {_LONGEST_ID} characters.")
    if not instance_id or any(not character.isprintable() for character in instance_id):
        raise BadRequest("The instance ID contains characters that are not allowed.")


def _next_page(query: Query, ids: list[str]) -> dict[str, str]:
    """A full page is followed by another, which may be empty."""
    if query.top is None or len(ids) < query.top:
        return {}
    return {_TOKEN: base64.urlsafe_b64encode(ids[-1].encode()).decode()}


def _read_token(token: str) -> str:
    if not token:
        return ""
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, ValueError):
        return "\U0010ffff"  # behind every id: the host answers junk with an empty page


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        text=compact(value),
        status=status,
        headers=headers,
        content_type="application/json",
        charset="utf-8",
    )
