"""Histories: appended to, begun anew, rewritten; and who may take the place of whom."""

from dataclasses import replace

from durablehost.hub import history
from durablehost.hub.backend import Backend, Message, Parent, started
from tests.durablehost.store.storing import (
    LATER,
    NOW,
    an_instance,
    bring,
    call,
    ended,
    event,
    names,
    running,
    start,
    take,
)


def test_an_unknown_id_has_no_instance_and_an_empty_history(backend: Backend) -> None:
    assert backend.instance("nobody") is None
    assert backend.history("nobody") == []


def test_the_history_is_all_that_its_episodes_added_in_order(backend: Backend) -> None:
    bring(backend, "a", "Running")
    backend.send(event("a", "One"))
    backend.flush()
    work = take(backend)
    past = list(work.past)
    last = ended(work)
    backend.commit_orchestration(work, last)
    backend.flush()

    assert past == backend.history("a")[: len(past)]
    assert backend.history("a")[len(past) :] == last.events


def test_a_new_generation_replaces_the_history(backend: Backend) -> None:
    bring(backend, "a", "Running")
    backend.send(event("a", "One"))
    backend.flush()
    work = take(backend)
    decision = running(work, new_generation=True)
    second = replace(decision.instance, execution_id="second", generation=1, input="2")
    decision.instance = second
    decision.messages.append(Message("a", started(second, LATER), "second"))
    backend.commit_orchestration(work, decision)
    backend.flush()
    next_work = take(backend)

    assert backend.history("a") == []
    assert next_work.instance == second
    assert [one["EventType"] for one in next_work.new] == [history.EXECUTION_STARTED]


def test_what_came_during_the_last_episode_of_a_generation_comes_after_the_next_ones_start(
    backend: Backend,
) -> None:
    bring(backend, "a", "Running")
    backend.send(event("a", "One"))
    backend.flush()
    work = take(backend)
    backend.send(event("a", "Meanwhile"))
    backend.flush()
    decision = running(work, new_generation=True)
    decision.instance = replace(decision.instance, execution_id="second")
    decision.messages.append(Message("a", started(decision.instance, LATER), "second"))
    backend.commit_orchestration(work, decision)
    new = take(backend).new

    assert new[0]["EventType"] == history.EXECUTION_STARTED
    assert names(new) == ["Meanwhile"]


def test_events_that_were_carried_over_come_before_those_that_arrived_meanwhile(
    backend: Backend,
) -> None:
    bring(backend, "a", "Running")
    backend.send(event("a", "One"))
    backend.send(event("a", "Two"))
    backend.flush()
    work = take(backend)
    backend.send(event("a", "Meanwhile"))
    backend.flush()
    decision = running(work, new_generation=True)
    decision.instance = replace(decision.instance, execution_id="second")
    decision.messages.append(Message("a", started(decision.instance, LATER), "second"))
    decision.messages.append(event("a", "Two", execution_id="second"))
    backend.commit_orchestration(work, decision)
    backend.flush()

    assert names(take(backend).new) == ["Two", "Meanwhile"]


def test_a_rewritten_instance_has_the_new_history_and_wakes(backend: Backend) -> None:
    bring(backend, "a", "Failed")
    revived = an_instance("a", status="Running", updated=LATER)
    kept = backend.history("a")[:-1]
    backend.rewrite(revived, kept, event("a", "Revive"))
    backend.flush()
    work = take(backend)

    assert list(work.past) == kept
    assert work.instance == revived
    assert names(work.new) == ["Revive"]
    assert backend.history("a") == kept


def test_a_child_is_started_with_its_parents_decision(backend: Backend) -> None:
    start(backend, "parent")
    backend.flush()
    work = take(backend)
    child = an_instance("child", parent=Parent("parent", "execution of parent", 0, "p", None))
    first = Message("child", started(child, NOW), child.execution_id)
    backend.commit_orchestration(work, running(work, children=[(child, first)]))

    assert take(backend).instance == child


def test_a_child_does_not_take_the_id_of_a_running_instance(backend: Backend) -> None:
    bring(backend, "taken", "Running")
    start(backend, "parent")
    backend.flush()
    work = take(backend)
    child = an_instance(
        "taken", execution_id="other", parent=Parent("parent", "execution of parent", 3, "p", None)
    )
    first = Message("taken", started(child, NOW), "other")
    backend.commit_orchestration(work, running(work, children=[(child, first)]))
    backend.flush()
    told = take(backend)

    assert told.instance.id == "parent"
    assert [(one["EventType"], one["TaskScheduledId"]) for one in told.new] == [
        (history.SUB_ORCHESTRATION_FAILED, 3)
    ]
    assert "already exists" in told.new[0]["Reason"]
    assert backend.next_orchestration() is None
    existing = backend.instance("taken")
    assert existing is not None
    assert existing.execution_id == "execution of taken"


def test_the_end_of_an_old_runs_activity_is_lost_on_the_new_one(backend: Backend) -> None:
    call(backend, "a", ["fetch"])
    activity = backend.next_activity()
    assert activity is not None
    start(backend, "a", execution_id="second")
    backend.commit_activity(activity, history.task_completed(NOW, 0, '"old"'))
    backend.flush()
    work = take(backend)

    assert work.instance.execution_id == "second"
    assert [one["EventType"] for one in work.new] == [history.EXECUTION_STARTED]


def test_a_decision_on_an_instance_that_was_replaced_meanwhile_is_dropped(
    backend: Backend,
) -> None:
    start(backend, "a")
    backend.flush()
    old = take(backend)
    start(backend, "a", execution_id="second")
    backend.flush()
    backend.commit_orchestration(old, ended(old))
    backend.flush()
    instance = backend.instance("a")

    assert instance is not None
    assert (instance.execution_id, instance.status) == ("second", "Pending")
    assert take(backend).instance.execution_id == "second"
