"""Events by POST and by queue add up to totals that are read, ranked and closed, by processes."""

import base64
import contextlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient

from tests.aggregating import an_event
from tests.processes import PATIENCE, Site

CALLERS = 16
DAY = "2025-06-30"


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


def put_by(queue: QueueClient, connection: str, count: int) -> set[str]:
    """What is on the poison queue of this one, once it is so much."""
    until, found = time.monotonic() + PATIENCE, set[str]()
    name = f"{queue.queue_name}-poison"
    with QueueClient.from_connection_string(connection, name) as poison:
        while len(found) < count:
            assert time.monotonic() < until, f"{name} has only {found}"
            with contextlib.suppress(ResourceNotFoundError):
                found = {str(message.content) for message in poison.peek_messages(32)}
    return found


def wait_until_empty(queue: QueueClient) -> None:
    """A message is deleted a moment after its function has run, or else comes back later."""
    until = time.monotonic() + PATIENCE
    while left := queue.get_queue_properties().approximate_message_count:
        assert time.monotonic() < until, f"{queue.queue_name} has {left} messages still"


def test_events_of_many_callers_count_once_and_are_ranked_and_closed(api: Site) -> None:
    hot = [an_event(f"e-{n}", "e2e-hot", DAY, n) for n in range(1, 301)]
    small = [an_event(f"e-{n}", f"e2e-small-{n % 7}", DAY, 1) for n in range(70)]

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

    closing = api.send("POST", "/api/closings", {"day": DAY}).json()["id"]
    frozen = api.ended(closing)["output"]
    assert (frozen["vendors"], frozen["events"], frozen["amount_cents"]) == (8, 370, 45_220)
    post(api, an_event("late", "e2e-hot", DAY, 1000))
    booked = {"events": 1, "amount_cents": 1000, "state": "open"}
    api.read_until("/api/totals/e2e-hot?day=2025-07-01", booked)
    shown = api.send("GET", f"/api/totals/e2e-hot?day={DAY}").json()
    assert (shown["state"], shown["events"], shown["amount_cents"]) == ("closed", 300, 45_150)


@pytest.mark.azurite
def test_messages_count_once_beside_posts_and_junk_is_put_by(
    api: Site, queue: QueueClient, azurite_connection: str
) -> None:
    events = [an_event(f"m-{n}", "e2e-queued", "2025-07-05") for n in range(20)]
    junk = ["no base64!", base64.b64encode(b"no json").decode(), encoded({"event": "m-1"})]

    for text in [*junk, *map(encoded, events * 2)]:
        queue.send_message(text)
    assert post(api, events[0]) == 202

    total = api.read_until("/api/totals/e2e-queued", {"events": 20, "repeats": 21})
    assert total["amount_cents"] == 2000
    assert put_by(queue, azurite_connection, len(junk)) == set(junk)
    wait_until_empty(queue)
