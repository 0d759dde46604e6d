"""What is over takes no room: not in the file once it is purged, and not in memory."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from durablehost.hub import history
from durablehost.hub.backend import Backend, Message
from durablehost.store import SqliteBackend, records
from tests.durablehost.store.storing import NOW, bring, ended, running, start, take


def size_of(hub: Path) -> int:
    files = [hub.with_name(hub.name + ending) for ending in ("", "-wal")]
    return sum(file.stat().st_size for file in files if file.exists())


def traced(work: Callable[[], None]) -> int:
    """How many bytes more are in use after it."""
    before = tracemalloc.get_traced_memory()[0]
    work()
    return tracemalloc.get_traced_memory()[0] - before


def test_purged_instances_free_their_space_while_the_hub_is_in_use(tmp_path: Path) -> None:
    hub = SqliteBackend(tmp_path / "hub.db")
    start(hub, "kept")
    hub.flush()
    empty = size_of(tmp_path / "hub.db")
    ids = [f"a:{number}" for number in range(300)]
    for instance_id in ids:
        bring(hub, instance_id, "Completed", input=json.dumps("x" * 20_000))
    full = size_of(tmp_path / "hub.db")
    purged = hub.purge(ids)
    while hub.flush():
        pass
    after = size_of(tmp_path / "hub.db")
    hub.close()

    assert purged == 300
    assert full > empty + 300 * 20_000
    assert after <= empty


def test_ended_instances_are_not_held_in_memory(backend: Backend) -> None:
    def run(first: int) -> None:
        for number in range(first, first + 200):
            start(backend, f"a:{number}", input=json.dumps("x" * 5000))
            backend.flush()
            work = take(backend)
            backend.commit_orchestration(work, ended(work))
            backend.flush()

    run(0)
    tracemalloc.start()
    grown = traced(lambda: run(200))
    tracemalloc.stop()

    assert grown < 200 * 500


def test_histories_at_rest_take_a_bounded_part_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "_CACHED_BYTES", 6_000_000)
    hub = SqliteBackend(tmp_path / "hub.db")
    ids = [f"a:{number}" for number in range(12)]
    for instance_id in ids:
        start(hub, instance_id)
        hub.flush()
        work = take(hub)
        decision = running(work)
        decision.events += [history.event_raised(NOW, "Tick", None)] * 1_000
        hub.commit_orchestration(work, decision)
        hub.flush()
    hub.close()

    def read(first: int, last: int) -> None:
        for instance_id in ids[first:last]:
            hub.history(instance_id)

    hub = SqliteBackend(tmp_path / "hub.db")
    tracemalloc.start()
    of_one = traced(lambda: read(0, 1))
    of_five = traced(lambda: read(1, 6))
    of_six_more = traced(lambda: read(6, 12))
    tracemalloc.stop()
    hub.close()

    assert of_five > 2 * of_one
    assert of_six_more < of_one


def test_large_histories_at_rest_take_a_bounded_part_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "_CACHED_BYTES", 2_000_000)
    hub = SqliteBackend(tmp_path / "hub.db")

    def fill() -> None:
        for number in range(20):
            start(hub, f"a:{number}")
            hub.flush()
            work = take(hub)
            decision = running(work)
            decision.events.append(history.event_raised(NOW, "Tick", "x" * 300_000))
            hub.commit_orchestration(work, decision)
            hub.flush()

    tracemalloc.start()
    grown = traced(fill)
    tracemalloc.stop()
    hub.close()

    assert grown < 4_000_000


def test_large_events_that_wait_are_not_in_memory_and_arrive_whole(tmp_path: Path) -> None:
    hub = SqliteBackend(tmp_path / "hub.db")
    start(hub, "a")

    def text(number: int) -> str:
        """Another text each time: one that they share would take its memory once."""
        return json.dumps(str(number) * 300_000)

    def send() -> None:
        for number in range(10):
            due, value = NOW if number % 2 else None, text(number)
            hub.send(Message("a", history.event_raised(NOW, f"E{number}", value), due=due))
            request = {"op": f"op{number}", "signal": True, "input": text(number)}
            hub.send(Message("@counter@x", request))
            hub.flush()

    tracemalloc.start()
    grown = traced(send)
    tracemalloc.stop()
    hub.close()
    hub = SqliteBackend(tmp_path / "hub.db")
    hub.release(NOW)
    orchestration, entity = take(hub), hub.next_entity()
    hub.close()

    assert grown < 500_000
    came = {each["Name"]: each["Input"] for each in orchestration.new[1:]}
    assert came == {f"E{number}": text(number) for number in range(10)}
    assert entity is not None
    asked = [(each["op"], each["input"]) for each in entity.requests]
    assert asked == [(f"op{number}", text(number)) for number in range(10)]
