"""Events of vendors for tests, sent in and added up."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

import azure.functions as func

from durablehost.testing import Answer, ManualHub

QUEUE_FUNCTION: Final = "record_queued_vendor_event"


def an_event(event: str, vendor: str = "acme", amount_cents: int = 100) -> Any:
    return {"event": event, "vendor": vendor, "amount_cents": amount_cents}


@dataclass
class SentEvent:
    """What was sent, and whether the app has accepted it."""

    content: Any
    is_accepted: bool = False


_sent: WeakKeyDictionary[ManualHub, list[SentEvent]] = WeakKeyDictionary()


def sent(hub: ManualHub) -> list[SentEvent]:
    """The events that `post` and `enqueue` have sent to a hub, the first one first."""
    return _sent.setdefault(hub, [])


async def post(hub: ManualHub, event: str, *args: Any, **more: Any) -> Answer:
    noted = SentEvent(an_event(event, *args, **more))
    sent(hub).append(noted)
    answer = await hub.request("POST", "/api/totals", json=noted.content)
    noted.is_accepted = answer.status == 202
    return answer


async def enqueue(hub: ManualHub, content: object) -> None:
    """Give a message to the function, as the queue trigger does."""
    noted = SentEvent(content)
    sent(hub).append(noted)
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    await hub.fire(QUEUE_FUNCTION, func.QueueMessage(body=body))
    noted.is_accepted = True


async def total(hub: ManualHub, vendor: str = "acme") -> Any:
    answer = await hub.request("GET", f"/api/totals/{vendor}")
    assert answer.status == 200, answer.text
    return answer.json()


async def counted(hub: ManualHub, vendor: str = "acme") -> tuple[int, int]:
    """How many events, and the sum of their amounts."""
    shown = await total(hub, vendor)
    return shown["events"], shown["amount_cents"]


async def rank(hub: ManualHub, name: str, **more: Any) -> Any:
    await hub.request("POST", "/api/rankings", json={"name": name, **more})
    return hub.output(f"ranking:{name}")


def shards(hub: ManualHub, vendor: str = "acme") -> list[Any]:
    """The states of a vendor's shards that exist."""
    found = hub.instances(f"@vendor_total@{vendor}:")
    return [hub.entity_state("vendor_total", each.id.split("@")[2]) for each in found]


def problem(answer: Answer) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status, answer.json()["code"]


def names(lines: Iterable[Any]) -> list[tuple[int, str]]:
    return [(line["rank"], line["vendor"]) for line in lines]
