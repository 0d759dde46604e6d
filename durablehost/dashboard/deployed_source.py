"""Answers the dashboard from the management API of a host, without changing anything there."""

import os
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlsplit

import aiohttp

from durablehost.app.functions import FunctionTable
from durablehost.calling.threads import DaemonPool
from durablehost.dashboard.functions_shown import shown_functions
from durablehost.dashboard.hub_source import shown_of
from durablehost.dashboard.opened import instance_of
from durablehost.dashboard.rows import row_of
from durablehost.dashboard.source import Json
from durablehost.dashboard.stepping import Orchestrate, replayed, run_within_limit
from durablehost.errors import CannotStart
from durablehost.hub import history
from durablehost.hub.backend import Instance, Search
from durablehost.hub.clock import SystemClock
from durablehost.hub.history import Event, stamp
from durablehost.replaying.asking_host import KEY
from durablehost.replaying.reconstructing import reconstruct, reconstruct_without_code
from durablehost.replaying.recording import Recording

_WEBHOOKS: Final = "/runtime/webhooks/durabletask"
_TOKEN: Final = "x-ms-continuation-token"
_SECONDS: Final = 60
_MOST_CHILDREN: Final = 50


class DeployedSource:
    """The task hub of an app in Azure, or of a durablehost elsewhere."""

    def __init__(
        self,
        url: str,
        table: FunctionTable,
        orchestrate: Orchestrate,
        session: aiohttp.ClientSession,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise CannotStart(f"{url!r} is no address: write https://my-app.azurewebsites.net.")
        self._base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._key = dict(parse_qsl(parts.query)).get("code") or os.environ.get(KEY, "")
        self._table = table
        self._orchestrate = orchestrate
        self._session = session
        self._pool = DaemonPool(1)  # for replays, because an orchestrator may loop
        self._tokens: list[str] = []  # of further pages; the dashboard asks by their place here

    def version(self) -> str:
        return ""

    async def about(self) -> Json:
        names = self._table.durable_names("orchestration")
        return {"hub": self._base, "readOnly": True, "orchestrators": names}

    async def instances(self, search: Search) -> Json:
        query = {
            "runtimeStatus": ",".join(sorted(search.statuses)),
            "instanceIdPrefix": search.prefix,
            "createdTimeFrom": stamp(search.created_from) if search.created_from else "",
            "createdTimeTo": stamp(search.created_to) if search.created_to else "",
            "top": str(search.top),
        }
        token = self._tokens[search.before - 1] if search.before else ""
        found, further = await self._get("/instances", query, token)
        if further:
            self._tokens.append(further)
        return {
            "instances": [_listed(one) for one in found if _fits(one, search)],
            "counts": None,
            "next": len(self._tokens) if further else None,
        }

    async def instance(self, instance_id: str) -> Json | None:
        shown = await self._ask(instance_id)
        if shown is None:
            return None
        instance, events = _read(shown, reconstruct_without_code(shown))
        return {
            "instance": shown_of(instance),
            "events": [row_of(event) for event in events],
            "problems": [],
            "tree": await self._tree(instance, events),
        }

    async def replay(self, instance_id: str) -> Json | None:
        shown = await self._ask(instance_id)
        if shown is None:
            return None
        return await run_within_limit(self._pool, partial(self._replay, shown))

    def _replay(self, shown: Json) -> Json:
        read = _read(shown, reconstruct(self._table, shown))
        return replayed(self._table, self._orchestrate, *read, SystemClock().now())

    async def entities(self) -> list[Json]:
        found, _ = await self._get("/entities", {"fetchState": "true", "top": "1000"})
        return [
            {
                "name": one["entityId"]["name"],
                "key": one["entityId"]["key"],
                "state": history.compact(one["state"]),
                "updated": one["lastOperationTime"],
                "operations": [],
            }
            for one in found
        ]

    async def problems(self) -> list[Json]:
        return []  # the real host notices none

    async def move_clock(self, by: timedelta) -> bool:
        return False

    async def functions(self) -> Json:
        return shown_functions(self._table, "api")

    def close(self) -> None:
        self._pool.close()

    async def _ask(self, instance_id: str) -> Json | None:
        """The status of an instance with its history."""
        flags = dict.fromkeys(("showHistory", "showHistoryOutput", "showInput"), "true")
        shown, _ = await self._get(f"/instances/{quote(instance_id, safe='')}", flags)
        return shown or None

    async def _tree(self, instance: Instance, events: list[Event]) -> Json:
        """The instance and its children; the parent has a page of its own."""
        created = history.SUB_ORCHESTRATION_CREATED
        ids = [event["InstanceId"] for event in events if event["EventType"] == created]
        children = []
        for child_id in filter(None, ids[:_MOST_CHILDREN]):
            child, _ = await self._get(
                f"/instances/{quote(child_id, safe='')}", {"showInput": "false"}
            )
            if child:
                children.append(_node(child_id, child["name"], child["runtimeStatus"]))
        node = _node(instance.id, instance.name, instance.status)
        more = max(0, len(ids) - _MOST_CHILDREN)
        return node | {"children": children, "more": more, "parent": None}

    async def _get(self, path: str, query: dict[str, str], token: str = "") -> tuple[Any, str]:
        """An answer, None where there is none, and the token of the next page."""
        given = {name: value for name, value in query.items() if value}
        headers = ({"x-functions-key": self._key} if self._key else {}) | (
            {_TOKEN: token} if token else {}
        )
        timeout = aiohttp.ClientTimeout(_SECONDS)
        url = f"{self._base}{_WEBHOOKS}{path}"
        async with self._session.get(url, params=given, headers=headers, timeout=timeout) as answer:
            if answer.status == 404:
                return None, ""
            if answer.status in (401, 403):
                raise CannotStart(
                    f"{self._base} answers {answer.status}. Put the key `durabletask_extension` of"
                    f" the app into {KEY}."
                )
            return await answer.json(content_type=None), answer.headers.get(_TOKEN, "")


def _read(shown: Json, recording: Recording) -> tuple[Instance, list[Event]]:
    """An instance with its history; ids of tasks are guesses, because the API shows none."""
    events = list(recording.events)
    custom_status = shown["customStatus"]
    instance = replace(
        instance_of(events),
        status=shown["runtimeStatus"],
        output=None if shown["output"] is None else history.compact(shown["output"]),
        custom_status=None if custom_status is None else history.compact(custom_status),
    )
    return instance, events


def _fits(one: Json, search: Search) -> bool:
    """What the API cannot filter by."""
    text = history.compact(one).lower()
    is_entity = one["instanceId"].startswith("@")
    return (
        not is_entity
        and search.name in ("", one["name"])
        and (not search.text or search.text.lower() in text)
    )


def _listed(one: Json) -> Json:
    def text(value: Any) -> str:
        return "" if value is None else history.compact(value)[:200]

    return {
        "id": one["instanceId"],
        "name": one["name"],
        "status": one["runtimeStatus"],
        "created": one["createdTime"],
        "updated": one["lastUpdatedTime"],
        "input": text(one["input"]),
        "output": text(one["output"]),
        "customStatus": text(one["customStatus"]),
        "isChild": "parentInstanceId" in one,
    }


def _node(instance_id: str, name: str, status: str) -> Json:
    return {"id": instance_id, "name": name, "status": status, "children": [], "more": 0}
