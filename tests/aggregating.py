"""Events of vendors for tests, sent in and added up."""

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

import azure.functions as func
import pytest

from blueprints import aggregator_closing, aggregator_ranking, aggregator_sharding
from durablehost.testing import Answer, ManualHub

DAY: Final = "2026-01-01"  # when the hub's clock begins
NEXT_DAY: Final = "2026-01-02"
QUEUE_FUNCTION: Final = "record_queued_vendor_event"


def an_event(event: str, vendor: str = "acme", day: str = DAY, amount_cents: int = 100) -> Any:
    return {"event": event, "vendor": vendor, "day": day, "amount_cents": amount_cents}


async def post(hub: ManualHub, event: str, *args: Any, **more: Any) -> Answer:
    return await hub.request("POST", "/api/totals", json=an_event(event, *args, **more))


async def enqueue(hub: ManualHub, content: object) -> None:
    """Give a message to the function, as the queue trigger does."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    await hub.fire(QUEUE_FUNCTION, func.QueueMessage(body=body))


async def total(hub: ManualHub, vendor: str = "acme", day: str = "") -> Any:
    answer = await hub.request("GET", f"/api/totals/{vendor}" + (f"?day={day}" if day else ""))
    assert answer.status == 200, answer.text
    return answer.json()


async def counted(hub: ManualHub, vendor: str = "acme", day: str = "") -> tuple[int, int]:
    """How many events, and what they come to."""
    shown = await total(hub, vendor, day)
    return shown["events"], shown["amount_cents"]


async def close(hub: ManualHub, day: str) -> Answer:
    return await hub.request("POST", "/api/closings", json={"day": day})


async def rank(hub: ManualHub, name: str, **more: Any) -> Any:
    await hub.request("POST", "/api/rankings", json={"name": name, **more})
    return hub.output(f"ranking:{name}")


async def next_day(hub: ManualHub, days: int = 1) -> None:
    await hub.advance(timedelta(days=days))


def use_few_pages(monkeypatch: pytest.MonkeyPatch) -> int:
    """Have a directory of three pages, so that what asks them all has few steps to crash at."""
    for module in (aggregator_closing, aggregator_ranking, aggregator_sharding):
        monkeypatch.setattr(module, "PAGES", 3)
    return 3


def shards(hub: ManualHub, vendor: str = "acme") -> list[Any]:
    """The states of a vendor's shards that exist."""
    found = hub.instances(f"@vendor_total@{vendor}:")
    return [hub.entity_state("vendor_total", each.id.split("@")[2]) for each in found]


def problem(answer: Answer) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status, answer.json()["code"]


def names(lines: Iterable[Any]) -> list[tuple[int, str]]:
    return [(line["rank"], line["vendor"]) for line in lines]
