"""Asks a host, deployed or local, for its running instances and their histories."""

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any, Final

from durablehost.errors import CannotStart
from durablehost.hub.backend import is_entity

KEY: Final = "DURABLE_KEY"  # the environment variable with the key of the durable extension
_WEBHOOKS: Final = "/runtime/webhooks/durabletask/instances"
_TOKEN: Final = "x-ms-continuation-token"
_SECONDS: Final = 60
_GOING: Final = "Running,Suspended"

Shown = dict[str, Any]


class HostAsked:
    """The management API at the address of a host."""

    def __init__(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise CannotStart(f"{url!r} is no address: write https://my-app.azurewebsites.net.")
        self._base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}{_WEBHOOKS}"
        self._key = dict(urllib.parse.parse_qsl(parts.query)).get("code") or os.environ.get(KEY, "")

    def running(self, most: int) -> Iterator[Shown]:
        """Instances that run or are suspended, with their histories. Raises CannotStart."""
        token, left = "", most
        while left > 0:
            headers = {_TOKEN: token} if token else {}
            listed, token = self._get("", {"runtimeStatus": _GOING, "top": "100"}, headers)
            for instance in listed:
                instance_id = instance["instanceId"]
                if left > 0 and not is_entity(instance_id):
                    left -= 1
                    yield self._with_history(instance_id)
            if not token:
                return

    def _with_history(self, instance_id: str) -> Shown:
        flags = dict.fromkeys(("showHistory", "showHistoryOutput", "showInput"), "true")
        path = f"/{urllib.parse.quote(instance_id, safe='')}"
        shown: Shown = self._get(path, flags, {})[0]
        return shown

    def _get(self, path: str, query: dict[str, str], headers: dict[str, str]) -> tuple[Any, str]:
        given = query | ({"code": self._key} if self._key else {})
        address = f"{self._base}{path}"
        request = urllib.request.Request(
            f"{address}?{urllib.parse.urlencode(given)}", headers=headers
        )
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
                return json.load(answer), answer.headers.get(_TOKEN, "")
        except urllib.error.HTTPError as error:
            error.close()
            why = f"{address} answers {error.code}."
            if error.code in (401, 403):
                why += f" Put the key `durabletask_extension` of the app into {KEY}."
            raise CannotStart(why) from None
        except (OSError, ValueError) as error:
            raise CannotStart(f"{address} cannot be read: {error}") from None
