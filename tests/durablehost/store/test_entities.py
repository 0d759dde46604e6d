"""Entities as work: taken, committed, abandoned, and in what order their requests come."""

from durablehost.hub.backend import Backend, Decision
from tests.durablehost.store.storing import an_entity, request


def test_requests_to_an_entity_come_in_order_and_one_batch_at_a_time(backend: Backend) -> None:
    for number in (1, 2):
        backend.send(request("@tally@x", number))
    backend.flush()
    first = backend.next_entity()
    backend.send(request("@tally@x", 3))
    backend.flush()
    meanwhile = backend.next_entity()
    assert first is not None
    backend.commit_entity(first, Decision(an_entity("@tally@x", "3")))
    backend.flush()
    second = backend.next_entity()

    assert [one["id"] for one in first.requests] == ["1", "2"]
    assert first.instance is None
    assert meanwhile is None
    assert second is not None
    assert [one["id"] for one in second.requests] == ["3"]
    assert second.instance == an_entity("@tally@x", "3")


def test_a_flood_of_requests_to_one_entity_does_not_hold_up_another(backend: Backend) -> None:
    for number in range(1000):
        backend.send(request("@tally@busy", number))
    backend.send(request("@tally@other", 0))
    backend.flush()
    batches: dict[str, list[str]] = {}
    order = []
    while work := backend.next_entity():
        order.append(work.id)
        batches.setdefault(work.id, []).extend(one["id"] for one in work.requests)
        backend.commit_entity(work, Decision(an_entity(work.id, "0")))
        backend.flush()

    assert order.index("@tally@other") == 1
    assert batches["@tally@busy"] == [str(number) for number in range(1000)]


def test_abandoned_requests_come_with_whatever_comes_next(backend: Backend) -> None:
    backend.send(request("@tally@x", 1))
    backend.flush()
    work = backend.next_entity()
    assert work is not None
    backend.abandon(work)
    at_once = backend.next_entity()
    backend.send(request("@tally@x", 2))
    backend.flush()
    again = backend.next_entity()

    assert at_once is None
    assert again is not None
    assert [one["id"] for one in again.requests] == ["1", "2"]
