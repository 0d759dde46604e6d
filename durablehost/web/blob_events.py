"""The webhook for Event Grid's events about blobs.

Statuses and bodies of validations and notifications are measured on the real host. The host reads
no more of an event than the URL in its data: the subscription chooses the kinds of events.
"""

import ipaddress
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from aiohttp import web

from durablehost.errors import BadRequest
from durablehost.hub.history import as_stored
from durablehost.web.bodies import read_json, read_text
from durablehost.web.paths import first_parameter, split_target

BLOB_WEBHOOK: Final = "/runtime/webhooks/blobs"

_BODY_LIMIT: Final = 1_048_576  # Event Grid sends a megabyte at most

BlobsCreated = Callable[[str, Sequence[tuple[str, str]]], None]


class BlobEvents:
    """Answers Event Grid and says which function must run for which blobs."""

    def __init__(self, blobs_created: BlobsCreated) -> None:
        """`blobs_created` receives the id of a function, and blobs as (container, name)."""
        self._blobs_created = blobs_created

    async def handle(self, request: web.Request) -> web.Response:
        """Confirm a subscription, or accept a notification: 202 after it is stored."""
        kind = request.headers.get("aeg-event-type", "").lower()
        if kind == "subscriptionvalidation":
            [event, *_] = await _events_of(request)
            code = _member(_member(event, "data"), "validationCode")
            return web.json_response({"validationResponse": code})
        if kind == "notification":
            function_id = first_parameter(split_target(request.raw_path)[1], "functionname") or ""
            urls = [_member(_member(e, "data"), "url") for e in await _events_of(request)]
            self._blobs_created(function_id, [blob_at(as_stored(str(url))) for url in urls])
            return web.Response(status=202)
        return web.Response(status=202 if kind == "unsubscribe" else 400)


def blob_at(url: str) -> tuple[str, str]:
    """The container and the name of the blob with this URL. Raises BadRequest."""
    parts = urlsplit(url)
    path = parts.path.removeprefix("/")
    if _has_account_in_path(parts.hostname or ""):
        path = path.partition("/")[2]
    container, _, name = path.partition("/")
    if not container or not name:
        raise BadRequest(f"data.url is {url!r}, which is not the URL of a blob")
    return unquote(container), unquote(name)


def _has_account_in_path(host: str) -> bool:
    """Whether the path begins with the account, as Azurite's paths do."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return True


async def _events_of(request: web.Request) -> list[Any]:
    """The events in the body, which is a list or a single event."""
    try:
        events = read_json(await read_text(request, _BODY_LIMIT))
    except ValueError as error:
        raise BadRequest("The body is not JSON") from error
    return events if isinstance(events, list) and events else [events]


def _member(value: Any, name: str) -> Any:
    if not isinstance(value, dict) or name not in value:
        raise BadRequest(f"An event has no {name}")
    return value[name]
