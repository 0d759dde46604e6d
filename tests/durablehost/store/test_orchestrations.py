"""Orchestrations as work: taken, committed, abandoned, and in what order they come."""

from dataclasses import replace

import pytest

from durablehost.hub.backend import Backend, Query
from durablehost.hub.history import EXECUTION_STARTED
from durablehost.store import SqliteBackend
from tests.durablehost.store.storing import (
    LATER,
    NOW,
    bring,
    ended,
    event,
    names,
    running,
    start,
    take,
)


def test_a_start_becomes_work_at_once(backend: Backend) -> None:
    start(backend, "a")

    assert [event["EventType"] for event in take(backend).new] == [EXECUTION_STARTED]


def test_an_instance_that_was_taken_is_not_given_again(backend: Backend) -> None:
    start(backend, "a")
    backend.flush()
    take(backend)
    backend.send(event("a", "Later"))
    backend.flush()

    assert backend.next_orchestration() is None


def test_what_came_while_an_instance_was_taken_is_the_next_work_after_its_commit(
    backend: Backend,
) -> None:
    start(backend, "a")
    backend.flush()
    work = take(backend)
    backend.send(event("a", "Later"))
    backend.flush()

    backend.commit_orchestration(work, running(work))
    backend.flush()

    assert names(take(backend).new) == ["Later"]


def test_committed_work_is_not_offered_again(backend: Backend) -> None:
    bring(backend, "a", "Running")

    assert backend.next_orchestration() is None


def test_abandoned_events_come_with_whatever_comes_next_and_before_it(backend: Backend) -> None:
    bring(backend, "a", "Running")
    backend.send(event("a", "First"))
    backend.flush()
    backend.abandon(take(backend))
    at_once = backend.next_orchestration()
    backend.send(event("a", "Second"))
    backend.flush()

    assert at_once is None
    assert names(take(backend).new) == ["First", "Second"]


def test_events_come_in_the_order_they_were_sent(backend: Backend) -> None:
    bring(backend, "a", "Running")
    for name in ("One", "Two", "Three"):
        backend.send(event("a", name))
    backend.flush()

    assert names(take(backend).new) == ["One", "Two", "Three"]


def test_instances_come_in_the_order_in_which_something_came_for_them(backend: Backend) -> None:
    for instance_id in ("c", "a", "b"):
        start(backend, instance_id)
    backend.flush()

    assert [take(backend).instance.id for _ in range(3)] == ["c", "a", "b"]


def test_an_instance_that_needs_more_completions_is_skipped_until_it_has_them(
    backend: Backend,
) -> None:
    bring(backend, "a", "Running")
    bring(backend, "b", "Running")
    for target in ("a", "b"):
        backend.send(event(target, "One"))
    backend.flush()
    first = backend.next_orchestration({"a": 2})
    second = backend.next_orchestration({"a": 2})
    backend.send(event("a", "Two"))
    backend.flush()
    third = backend.next_orchestration({"a": 2})

    assert first is not None
    assert first.instance.id == "b"
    assert second is None
    assert third is not None
    assert names(third.new) == ["One", "Two"]


def test_a_message_for_another_execution_is_lost(backend: Backend) -> None:
    bring(backend, "a", "Running")
    backend.send(event("a", "Stale", execution_id="an older one"))
    backend.flush()
    alone = backend.next_orchestration()
    backend.send(event("a", "Stale", execution_id="an older one"))
    backend.send(event("a", "Good", execution_id="execution of a"))
    backend.flush()

    assert alone is None
    assert names(take(backend).new) == ["Good"]


@pytest.mark.parametrize("target", ["nobody", "ended"])
def test_a_message_for_an_unknown_or_ended_instance_creates_no_work(
    backend: Backend, target: str
) -> None:
    bring(backend, "ended", "Completed")
    backend.send(event(target, "Late"))
    backend.flush()

    assert backend.next_orchestration() is None


def test_a_delayed_message_comes_in_when_it_is_due(backend: Backend) -> None:
    bring(backend, "a", "Running")
    backend.send(event("a", "Reminder", due=LATER))
    backend.flush()
    backend.release(NOW)
    before = backend.next_orchestration()
    due = backend.next_due()
    backend.release(LATER)

    assert before is None
    assert due == LATER
    assert names(take(backend).new) == ["Reminder"]
    assert backend.next_due() is None


def test_an_ended_instance_leaves_no_work_behind(backend: Backend) -> None:
    bring(backend, "a", "Running")
    backend.send(event("a", "One"))
    backend.flush()
    work = take(backend)
    backend.send(event("a", "Two"))
    backend.flush()

    backend.commit_orchestration(work, ended(work))
    backend.flush()

    assert backend.next_orchestration() is None


def test_a_message_that_is_taken_before_the_flush_is_never_written(backend: SqliteBackend) -> None:
    bring(backend, "a", "Running")
    before = backend.changes()

    backend.send(event("a", "Asked"))
    work = take(backend)
    backend.commit_orchestration(work, running(work))
    backend.flush()

    assert backend.changes() - before == 2  # the instance, and a part of its history


def test_an_instance_that_changes_twice_before_the_flush_is_written_once(
    backend: SqliteBackend,
) -> None:
    bring(backend, "a", "Running")
    before = backend.changes()

    for status in ("one", "two"):
        backend.send(event("a", status))
        work = take(backend)
        decision = running(work)
        decision.instance = replace(decision.instance, custom_status=status)
        backend.commit_orchestration(work, decision)
    [listed] = backend.list_instances(Query())
    backend.flush()

    assert listed.custom_status == "two"
    assert backend.changes() - before == 3  # the instance, and two parts of its history


def test_a_message_for_an_id_that_cannot_be_written_is_refused_at_once(
    backend: SqliteBackend,
) -> None:
    bring(backend, "a", "Running")

    with pytest.raises(UnicodeEncodeError):
        backend.send(event("@counter@\ud800", "add"))
    backend.send(event("a", "Asked"))
    backend.flush()

    assert [each["Name"] for each in take(backend).new] == ["Asked"]


def test_work_that_was_lost_is_not_taken_for_later_work_with_the_same_messages(
    backend: SqliteBackend,
) -> None:
    bring(backend, "a", "Running")
    backend.send(event("a", "Kept"))
    backend.flush()
    lost = take(backend)
    backend.lose_unsaved()
    work = take(backend)

    backend.commit_orchestration(lost, ended(lost))

    assert lost.receipt == work.receipt
    assert backend.awaits(work)
    assert backend.history("a") == work.past
