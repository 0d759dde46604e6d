"""Instances: what is known of them, how they are listed and purged; what the host keeps."""

from datetime import timedelta

import pytest

from durablehost.hub.backend import Backend, Decision, Parent, Query
from durablehost.hub.problems import Problem
from tests.durablehost.store.storing import (
    LATER,
    NOW,
    an_entity,
    an_instance,
    bring,
    event,
    request,
    start,
)


def test_a_stored_instance_is_read_unchanged(backend: Backend) -> None:
    parent = Parent("p", "execution of p", 7, "parent", "1.0")
    known = {"version": "2.1", "input": '{"ä": 1}', "custom_status": "[1]", "parent": parent}
    start(backend, "a", **known)
    backend.flush()

    assert backend.instance("a") == an_instance("a", **known)


@pytest.fixture
def listed(backend: Backend) -> Backend:
    for number, status in enumerate(["Running", "Completed", "Failed", "Running"]):
        for prefix in ("order", "ORDER"):
            instance_id = f"{prefix}:{number}"
            bring(backend, instance_id, status, created=NOW + timedelta(minutes=number))
    return backend


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        (Query(prefix="order:"), ["order:0", "order:1", "order:2", "order:3"]),
        (Query(prefix="order:", top=2), ["order:0", "order:1"]),
        (Query(prefix="order:", top=2, after="order:1"), ["order:2", "order:3"]),
        (Query(prefix="order:", statuses=frozenset({"Running"})), ["order:0", "order:3"]),
        (
            Query(prefix="order:", statuses=frozenset({"Completed", "Running"}), top=2),
            ["order:0", "order:1"],
        ),
        (
            Query(prefix="order:", statuses=frozenset({"Failed", "Running"}), after="order:1"),
            ["order:2", "order:3"],
        ),
        (Query(prefix="order:", created_from=NOW + timedelta(minutes=2)), ["order:2", "order:3"]),
        (Query(prefix="order:", created_to=NOW + timedelta(minutes=1)), ["order:0", "order:1"]),
        (Query(prefix="order:", statuses=frozenset({"Terminated"})), []),
        (Query(prefix="nothing"), []),
        (Query(top=None, statuses=frozenset({"Failed"})), ["ORDER:2", "order:2"]),
    ],
)
def test_a_list_has_the_requested_instances_in_order_of_ids(
    listed: Backend, query: Query, ids: list[str]
) -> None:
    assert [instance.id for instance in listed.list_instances(query)] == ids


def test_purged_instances_leave_nothing_behind(backend: Backend) -> None:
    bring(backend, "a", "Completed")
    backend.note("a", [Problem("kind", "subject", "text")], NOW)
    backend.send(event("a", "Late", due=LATER))
    backend.flush()

    purged = backend.purge(["a", "nobody"])
    backend.flush()

    assert purged == 1
    assert backend.instance("a") is None
    assert backend.history("a") == []
    assert backend.problems("a") == []
    assert backend.next_due() is None


def test_a_purged_entity_takes_what_was_on_its_way_to_it_along(backend: Backend) -> None:
    backend.send(request("@tally@x", 1))
    backend.flush()
    work = backend.next_entity()
    assert work is not None
    backend.commit_entity(work, Decision(an_entity("@tally@x", "1")))
    backend.flush()
    backend.send(request("@tally@x", 2))
    backend.purge(["@tally@x"])
    backend.flush()

    assert backend.next_entity() is None


def test_kept_values_are_replaced_by_later_ones(backend: Backend) -> None:
    before = backend.get_value("clock")
    backend.put_value("clock", "one")
    backend.put_value("clock", "two")
    backend.flush()

    assert before is None
    assert backend.get_value("clock") == "two"


def test_an_accepted_finding_is_not_new_again(backend: Backend) -> None:
    problem = Problem("kind", "subject", "text")

    first = backend.note("a", [problem], NOW)
    second = backend.note("a", [problem, Problem("kind", "other", "text")], LATER)
    backend.flush()

    assert first == [problem]
    assert [one.subject for one in second] == ["other"]
    assert [(one.instance_id, one.subject) for one in backend.problems()] == [
        ("a", "subject"),
        ("a", "other"),
    ]
