"""Events by POST and by queue add up to totals that are read and ranked, by processes."""

import base64
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from azure.storage.queue import QueueClient

from tests.aggregating import an_event
from tests.processes import PATIENCE, Site

CALLERS = 16


def post(api: Site, event: Any) -> int:
    return api.send("POST", "/api/totals", event).status_code


def encoded(content: Any) -> str:
    """A message as the host reads it, unless host.json says otherwise."""
    return base64.b64encode(json.dumps(content).encode()).decode()


@pytest.fixture
def queue(events_queue: str, azurite_connection: str) -> Iterator[QueueClient]:
    with QueueClient.from_connection_string(azurite_connection, events_queue) as queue:
        queue.create_queue()
        yield queue


def poisoned(api: Site, count: int) -> set[str]:
    """The codes of the poisoned events that have failed, once there are so many."""
    until, found = time.monotonic() + PATIENCE, list[Any]()
    while len(found) < count:
        assert time.monotonic() < until, f"only {found} have failed"
        path = "/api/operations?status=Failed&prefix=poison:"
        found = api.send("GET", path).json()["operations"]
    return {each["output"]["code"] for each in found}


def wait_for_length(queue: QueueClient, length: int) -> None:
    """A message is deleted a moment after its function has run."""
    until = time.monotonic() + PATIENCE
    while (left := queue.get_queue_properties().approximate_message_count) != length:
        assert time.monotonic() < until, f"{queue.queue_name} has {left} messages still"


def test_events_of_many_callers_count_once_and_are_ranked(api: Site) -> None:
    hot = [an_event(f"e-{n}", "e2e-hot", n) for n in range(1, 301)]
    small = [an_event(f"e-{n}", f"e2e-small-{n % 7}", 1) for n in range(70)]

    with ThreadPoolExecutor(CALLERS) as callers:
        statuses = set(callers.map(lambda event: post(api, event), (hot + small) * 2))
    total = api.read_until("/api/totals/e2e-hot", {"events": 300, "repeats": 300})
    for n in range(7):
        api.read_until(f"/api/totals/e2e-small-{n}", {"events": 10, "repeats": 10})

    assert statuses == {202}
    assert total["amount_cents"] == 45_150

    api.send("POST", "/api/rankings", {"name": "e2e", "top": 100})
    lines = api.ended("ranking:e2e")["output"]["lines"]
    assert (lines[0]["rank"], lines[0]["vendor"], lines[0]["events"]) == (1, "e2e-hot", 300)


@pytest.mark.azurite
def test_queue_messages_and_posts_count_once_and_invalid_messages_are_reported(
    api: Site, world: Site, queue: QueueClient, azurite_connection: str
) -> None:
    events = [an_event(f"m-{n}", "e2e-queued") for n in range(20)]
    junk = [base64.b64encode(b"no json").decode(), encoded({"event": "m-1"})]
    unread = "no base64!"

    for text in [unread, *junk, *map(encoded, events * 2)]:
        queue.send_message(text)
    assert post(api, events[0]) == 202

    total = api.read_until("/api/totals/e2e-queued", {"events": 20, "repeats": 21})
    assert total["amount_cents"] == 2000
    assert poisoned(api, len(junk)) == {"no_json", "invalid_message"}
    mails = world.send("GET", "/mail/messages?to=payables@example.com").json()["messages"]
    assert "vendor events could not be recorded" in {mail["subject"] for mail in mails}
    wait_for_length(queue, 0)
    name = f"{queue.queue_name}-poison"
    with QueueClient.from_connection_string(azurite_connection, name) as poison:
        wait_for_length(poison, 1)  # the unread one
