"""Events of vendors for tests, sent in and added up."""

import json
from collections.abc import Iterable
from typing import Any, Final

import azure.functions as func

from durablehost.testing import Answer, ManualHub

QUEUE_FUNCTION: Final = "record_queued_vendor_event"


def an_event(event: str, vendor: str = "acme", amount_cents: int = 100) -> Any:
    return {"event": event, "vendor": vendor, "amount_cents": amount_cents}


async def post(hub: ManualHub, event: str, *args: Any, **more: Any) -> Answer:
    return await hub.request("POST", "/api/totals", json=an_event(event, *args, **more))


async def enqueue(hub: ManualHub, content: object) -> None:
    """Give a message to the function, as the queue trigger does."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    await hub.fire(QUEUE_FUNCTION, func.QueueMessage(body=body))


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
