"""The HTTP management API of the durable extension.

The same handler serves the public webhooks and the endpoint that the SDK's client speaks to.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from durablehost.errors import (
    BadRequest,
    InstanceEnded,
    InstanceExists,
    InstanceNotFound,
    UnknownFunction,
    WrongState,
)
from durablehost.hub.backend import Query, is_entity
from durablehost.hub.client import HubClient, exists
from durablehost.hub.history import compact
from durablehost.web.asked import TOKEN, Asked, write_token
from durablehost.web.dotnet_json import leading_comment
from durablehost.web.paths import decoded_path
from durablehost.web.shown import (
    UnshownHistory,
    shown_entity,
    shown_failure,
    shown_history,
    shown_instance,
    value_of,
)
from durablehost.web.urls import management_urls

_LONGEST_ID: Final = 256
_WENT_WRONG: Final = "Something went wrong while processing your request"

Saved = Callable[[], Awaitable[None]]


class _NothingHere(Exception):
    """There is no such route with this method. The answer is 404, never 405."""


class Management:
    """Answers requests for one task hub."""

    def __init__(
        self, client: HubClient, saved: Saved, task_hub: str, connection: str, key: str
    ) -> None:
        """`saved` returns when everything that was written is on disk. Answers wait for it."""
        self._client = client
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
                    "Message": _WENT_WRONG,
                    "ExceptionMessage": str(error),
                    "ExceptionType": "System.InvalidOperationException",
                    "StackTrace": "",
                },
                500,
            )

    async def _route(self, request: web.Request, path: str) -> web.Response:
        # A slash that is escaped stays so, and no id has one.
        parts = [decoded_path(part) for part in path.strip("/").split("/")]
        if "%2F" in path.upper() or any("\0" in part for part in parts):
            raise _NothingHere
        asked = Asked(request)
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

    async def _start(self, asked: Asked, name: str, instance_id: str | None) -> web.Response:
        _check_id(instance_id)
        pause = asked.pause()
        input_text = await asked.input_text()
        started = self._client.start(name, instance_id, input_text, asked.query.get("version"))
        await self._saved()
        if pause is not None and await self._wait(asked, started, *pause):
            instance = self._client.status(started)
            if instance.status == "Completed":
                return _json(value_of(instance.output))
            return self._status(asked, started)
        return self._accepted(asked, started)

    async def _wait(self, asked: Asked, instance_id: str, within: float, every: float) -> bool:
        """Whether an instance ends in time, and before the caller disconnects."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within
        while not self._client.status(instance_id).ended:
            if loop.time() >= until or asked.request.transport is None:
                return False
            await asyncio.sleep(min(every, max(0.0, until - loop.time())))
        return True

    def _accepted(self, asked: Asked, instance_id: str) -> web.Response:
        urls = management_urls(asked.origin, instance_id, *self._urls)
        del urls["rewindPostUri"]
        headers = {"Location": urls["statusQueryGetUri"], "Retry-After": "10"}
        return _json(urls, 202, headers)

    def _status(self, asked: Asked, instance_id: str) -> web.Response:
        instance = self._client.status(instance_id)
        if leading_comment(instance.input or ""):
            return _json({"Message": _WENT_WRONG}, 500)
        with_input = asked.flag("showInput", default=True)
        problems = self._client.problems(instance_id)
        headers = _problems_header(instance_id, len(problems))
        events = None
        if asked.flag("showHistory") and instance.status != "Pending":
            try:
                events = shown_history(
                    self._client.events(instance_id),
                    with_output=asked.flag("showHistoryOutput"),
                    with_input=with_input,
                )
            except UnshownHistory:
                words = "One or more of the arguments submitted is incorrect"
                return _json({"Message": words}, 400, headers)
        shown = shown_instance(instance, with_input=with_input, events=events)
        shown |= shown_failure(instance, problems)
        if not instance.ended:
            return _json(shown, 202, {"Location": asked.url, "Retry-After": "5", **headers})
        failed = instance.status == "Failed" and asked.flag("returnInternalServerErrorOnFailure")
        return _json(shown, 500 if failed else 200, headers)

    def _list(self, asked: Asked) -> web.Response:
        query = asked.list_query()
        found = self._client.list_instances(query)
        with_input = asked.flag("showInput", default=True)
        shown = [shown_instance(instance, with_input=with_input) for instance in found]
        return _json(shown, headers=_next_page(query, [instance.id for instance in found]))

    async def _operate(self, asked: Asked, instance_id: str, operation: str) -> web.Response:
        self._check_orchestration(instance_id)
        reason = asked.reason()
        match operation:
            case "terminate":
                self._client.terminate(instance_id, reason)
            case "suspend":
                self._client.suspend(instance_id, reason)
            case "resume":
                self._client.resume(instance_id, reason)
            case "rewind":
                return await self._rewind(instance_id, reason)
            case "restart":
                return await self._restart(asked, instance_id)
            case "restartwithoptions":
                return await self._restart_with_options(asked, instance_id)
            case _:
                raise _NothingHere
        await self._saved()
        return web.Response(status=202)

    def _check_orchestration(self, instance_id: str) -> None:
        """Refuse messages for an entity that are not operations: they would block it."""
        if not is_entity(instance_id):
            return
        with contextlib.suppress(InstanceNotFound):
            self._client.status(instance_id)
            raise BadRequest(f"{instance_id} is an entity, and takes only operations: signal it.")

    async def _rewind(self, instance_id: str, reason: str) -> web.Response:
        try:
            self._client.rewind(instance_id, reason)
        except InstanceNotFound as error:
            return _json(str(error), 404)
        except WrongState as error:
            return _json(str(error), 412)
        await self._saved()
        return web.Response(status=202)

    async def _restart(self, asked: Asked, instance_id: str) -> web.Response:
        new_id = asked.flag("restartWithNewInstanceId", default=True)
        restarted = self._client.restart(instance_id, None if new_id else instance_id)
        await self._saved()
        return self._accepted(asked, restarted)

    async def _restart_with_options(self, asked: Asked, instance_id: str) -> web.Response:
        new_id = asked.query.get("newInstanceId", "")
        if not new_id:
            raise BadRequest("A new orchestration instance ID must be provided.")
        if new_id.startswith("@"):
            raise BadRequest(
                "Orchestration instance IDs must not start with @. (Parameter 'newInstanceId')"
            )
        _check_id(new_id)
        self._client.restart(instance_id, new_id, asked.query.get("version"))
        await self._saved()
        return self._accepted(asked, new_id)

    async def _raise_event(self, asked: Asked, instance_id: str, name: str) -> web.Response:
        if not name:
            raise _NothingHere
        if not asked.is_json:
            raise BadRequest("Only application/json request content is supported")
        self._check_orchestration(instance_id)
        value = await asked.json()
        self._client.raise_event(instance_id, name, value)
        await self._saved()
        return web.Response(status=202)

    async def _purge(self, instance_id: str) -> web.Response:
        try:
            purged = self._client.purge(instance_id)
        except WrongState as error:
            return _json(str(error), 412)
        if not purged:
            raise _NothingHere
        await self._saved()
        return _json({"instancesDeleted": purged})

    async def _purge_by(self, asked: Asked) -> web.Response:
        query = asked.list_query()
        if query.created_from is None:
            return _json("Please provide value for 'createdTimeFrom' parameter.", 400)
        purged = 0
        # Other requests get their turn between two parts.
        period = query.created_from, query.created_to
        while part := self._client.purge_by(*period, query.statuses):
            await self._saved()
            purged += part
        if not purged:
            raise _NothingHere
        return _json({"instancesDeleted": purged})

    # Entities

    async def _entities(self, asked: Asked, rest: list[str]) -> web.Response:
        method = asked.request.method
        if method == "GET" and len(rest) < 2:
            return self._list_entities(asked, rest[0] if rest else None)
        if len(rest) != 2:
            raise _NothingHere
        name, key = rest[0], "" if rest[1] == "$" else rest[1]
        if method == "GET":
            return _json(value_of(self._client.entity_state(name, key)))
        if method not in ("POST", "DELETE"):
            raise _NothingHere
        operation = "delete" if method == "DELETE" else asked.query.get("op", "")
        self._client.signal(name, key, operation, await asked.signal_text())
        await self._saved()
        return web.Response(status=202)

    def _list_entities(self, asked: Asked, name: str | None) -> web.Response:
        query = asked.list_query()
        since, until = asked.time("lastOperationTimeFrom"), asked.time("lastOperationTimeTo")
        found = self._client.list_entities(name, query)
        shown = []
        for entity in found:
            if not is_entity(entity.id):  # an orchestration whose id begins with @
                continue
            if (
                not exists(entity)
                or (since and entity.updated < since)
                or (until and entity.updated > until)
            ):
                continue
            shown.append(shown_entity(entity, with_state=asked.flag("fetchState")))
        return _json(shown, headers=_next_page(query, [entity.id for entity in found]))


def _problems_header(instance_id: str, count: int) -> dict[str, str]:
    """An additional header, if the instance has problems."""
    where = f"/admin/durablehost/problems?instanceId={quote(instance_id, safe='')}"
    return {"X-Durablehost-Problems": f"{count}; see {where}"} if count else {}


def _check_id(instance_id: str | None) -> None:
    if instance_id is None:
        return
    if len(instance_id) > _LONGEST_ID:
        raise BadRequest(f"Instance ID lengths must not exceed {_LONGEST_ID} characters.")
    if not instance_id or any(not character.isprintable() for character in instance_id):
        raise BadRequest("The instance ID contains characters that are not allowed.")
    if is_entity(instance_id):
        raise BadRequest("An instance ID must not be that of an entity, @name@key.")


def _next_page(query: Query, ids: list[str]) -> dict[str, str]:
    """The answer for a page. After a full page comes another one, which can be empty."""
    if query.top is None or len(ids) < query.top:
        return {}
    return {TOKEN: write_token(ids[-1])}


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        text=compact(value),
        status=status,
        headers=headers,
        content_type="application/json",
        charset="utf-8",
    )
