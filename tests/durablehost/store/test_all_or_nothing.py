"""Changes that were flushed survive a crash; changes that were not leave no trace."""

from pathlib import Path

import pytest

from durablehost.errors import HubFull
from durablehost.hub import history
from durablehost.hub.backend import Backend, Decision, NewActivity, Query
from durablehost.store import SqliteBackend
from tests.durablehost.full_disk import full_at, size_of
from tests.durablehost.store.storing import (
    LATER,
    NOW,
    an_entity,
    bring,
    call,
    ended,
    event,
    names,
    request,
    running,
    start,
    take,
)

UNWRITABLE = "\ud800"  # half a character, which no file takes
FRAME = 4096 + 24  # what one page takes in the write-ahead log


def test_all_that_was_flushed_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    hub = SqliteBackend(tmp_path / "hub.db")
    call(hub, "caller", ["fetch", "check"])
    bring(hub, "waiter", "Running")
    for name in ("One", "Two"):
        hub.send(event("waiter", name))
    hub.send(event("waiter", "Reminder", due=LATER))
    hub.send(request("@tally@x", 1))
    hub.put_value("clock", "one")
    hub.flush()
    before = hub.instance("caller"), hub.history("caller")
    hub.next_activity()
    hub.close()

    hub = SqliteBackend(tmp_path / "hub.db")

    assert (hub.instance("caller"), hub.history("caller")) == before
    assert [work and work.name for work in (hub.next_activity(), hub.next_activity())] == [
        "fetch",
        "check",
    ]
    assert names(take(hub).new) == ["One", "Two"]
    assert hub.next_due() == LATER
    entity = hub.next_entity()
    assert entity is not None
    assert [one["id"] for one in entity.requests] == ["1"]
    assert hub.get_value("clock") == "one"
    hub.close()


def test_a_killed_process_loses_what_it_had_not_flushed_and_nothing_else(
    backend: SqliteBackend,
) -> None:
    call(backend, "caller", ["fetch"])
    activity = backend.next_activity()
    bring(backend, "waiter", "Running")
    backend.send(event("waiter", "One"))
    backend.flush()
    work = take(backend)
    past = backend.history("waiter")
    backend.commit_orchestration(work, ended(work))
    backend.put_value("clock", "one")
    start(backend, "late")

    backend.lose_unsaved()

    assert backend.instance("late") is None
    assert backend.get_value("clock") is None
    assert backend.history("waiter") == past
    assert take(backend).new == work.new
    assert backend.next_activity() == activity


def test_an_decision_that_cannot_be_written_whole_leaves_no_trace(backend: Backend) -> None:
    bring(backend, "a", "Running")
    backend.send(event("a", "One"))
    backend.flush()
    work = take(backend)
    before = backend.instance("a"), backend.history("a")
    decision = running(work, activities=[NewActivity(0, "fetch", "1")])
    decision.messages.append(event(UNWRITABLE, "Any"))
    with pytest.raises(UnicodeEncodeError):
        backend.commit_orchestration(work, decision)
    backend.flush()

    assert (backend.instance("a"), backend.history("a")) == before
    assert backend.next_activity() is None
    assert take(backend).new == work.new


def test_a_start_that_cannot_be_written_leaves_the_ended_instance_in_its_place(
    backend: Backend,
) -> None:
    bring(backend, "a", "Completed")
    before = backend.instance("a"), backend.history("a")
    with pytest.raises(UnicodeEncodeError):
        start(backend, "a", name=UNWRITABLE)
    backend.flush()

    assert (backend.instance("a"), backend.history("a")) == before


def test_after_a_crash_an_entity_receives_each_request_once_and_in_order(backend: Backend) -> None:
    for number in range(500):
        backend.send(request("@tally@x", number))
    backend.flush()
    first = backend.next_entity()
    assert first is not None
    backend.commit_entity(first, Decision(an_entity("@tally@x", "1")))
    second = backend.next_entity()
    assert second is not None
    decision = Decision(an_entity("@tally@x", "2"), messages=[event(UNWRITABLE, "Any")])
    with pytest.raises(UnicodeEncodeError):
        backend.commit_entity(second, decision)
    backend.abandon(first)
    backend.abandon(second)
    seen = []
    while work := backend.next_entity():
        seen += [one["id"] for one in work.requests]
        backend.commit_entity(work, Decision(an_entity("@tally@x", "3")))
        backend.flush()

    assert seen == [str(number) for number in range(500)]


def test_what_was_taken_before_a_loss_cannot_be_committed_after_it(backend: Backend) -> None:
    bring(backend, "a", "Running")
    backend.send(event("a", "One"))
    backend.flush()
    first = take(backend)
    backend.commit_orchestration(first, running(first))
    backend.send(event("a", "Two"))
    with pytest.raises(UnicodeEncodeError):
        backend.send(event(UNWRITABLE, "Any"))
    again = take(backend)
    backend.commit_orchestration(again, running(again))
    backend.commit_orchestration(first, ended(first))
    backend.flush()
    instance = backend.instance("a")

    assert instance is not None
    assert instance.status == "Running"
    assert names(backend.history("a")) == ["One"]


def test_an_activity_that_runs_is_not_offered_again_after_a_loss(backend: Backend) -> None:
    call(backend, "a", ["fetch", "check"])
    fetch = backend.next_activity()
    assert fetch is not None
    end = history.task_completed(NOW, fetch.task_id, '"fetched"')
    backend.commit_activity(fetch, end)
    with pytest.raises(UnicodeEncodeError):
        backend.send(event(UNWRITABLE, "Any"))
    check, none = backend.next_activity(), backend.next_activity()
    backend.commit_activity(fetch, end)
    backend.flush()

    assert check is not None
    assert check.name == "check"
    assert none is None
    assert take(backend).new == [end]


def test_on_a_full_disk_changes_since_the_last_flush_are_rolled_back(tmp_path: Path) -> None:
    hub = SqliteBackend(tmp_path / "hub.db")
    bring(hub, "a", "Running")
    hub.send(event("a", "One"))
    hub.flush()
    work = take(hub)
    losses = hub.losses
    hub.commit_orchestration(work, ended(work))
    start(hub, "b")
    with full_at(size_of(tmp_path / "hub.db")), pytest.raises(HubFull, match="could not be writt"):
        hub.flush()

    assert hub.losses > losses
    assert hub.instance("b") is None
    again = take(hub)
    assert again.new == work.new
    hub.commit_orchestration(again, ended(again))
    hub.close()
    hub = SqliteBackend(tmp_path / "hub.db")
    instance = hub.instance("a")
    assert instance is not None
    assert instance.status == "Completed"
    hub.close()


def test_with_just_enough_room_a_purge_is_done_and_with_less_refused(tmp_path: Path) -> None:
    ids = ["a:1", "a:2", "a:3"]
    left = ids
    refused = 0
    while left:
        path = tmp_path / str(refused) / "hub.db"
        hub = SqliteBackend(path)
        for instance_id in ids:
            bring(hub, instance_id, "Completed", input='"' + "x" * 9000 + '"')
        hub.purge(ids)
        with full_at(size_of(path) + refused * FRAME):
            try:
                hub.flush()
            except HubFull:
                refused += 1
        start(hub, "next")
        hub.flush()
        left = [instance.id for instance in hub.list_instances(Query(prefix="a:"))]
        next_one = take(hub).instance.id
        hub.close()

        assert left in (ids, [])
        assert next_one == "next"

    assert refused > 0


def test_closing_on_a_full_disk_lets_the_hub_go(tmp_path: Path) -> None:
    hub = SqliteBackend(tmp_path / "hub.db")
    start(hub, "a")
    hub.flush()
    start(hub, "b")
    with full_at(size_of(tmp_path / "hub.db")):
        hub.close()

    hub = SqliteBackend(tmp_path / "hub.db")
    assert [instance.id for instance in hub.list_instances(Query())] == ["a"]
    hub.close()
