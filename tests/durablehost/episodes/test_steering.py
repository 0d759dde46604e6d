"""Suspend, resume and terminate in episodes."""

from typing import Any

import pytest

from tests.durablehost.episodes.stepping import (
    LATER,
    Context,
    Episodes,
    Flow,
    called,
    completed,
    failed,
    ids,
    kinds,
    output,
    problems,
    raised,
    resumed,
    suspended,
    terminated,
)


def steps(context: Context) -> Flow:
    first = yield context.call_activity("act", "a")
    event = yield context.wait_for_external_event("go")
    yield context.call_activity("act", [first, event])
    return "end"


def test_a_suspended_instance_shows_the_reason_and_does_not_go_on() -> None:
    instance = Episodes(steps)
    instance.begin()

    decision = instance.next(suspended("lunch"))
    assert (decision.instance.status, output(decision)) == ("Suspended", "lunch")

    while_suspended = instance.next(completed(0, 1), raised("go", 2))
    assert (while_suspended.instance.status, output(while_suspended)) == ("Suspended", "lunch")
    assert while_suspended.scheduled == []


def test_events_that_arrive_while_suspended_are_processed_on_resume() -> None:
    instance = Episodes(steps)
    instance.begin()
    instance.next(suspended("lunch"))
    instance.next(completed(0, 1), raised("go", 2))

    decision = instance.next(resumed("back"))

    assert (decision.instance.status, output(decision)) == ("Running", "back")
    assert called(decision) == [(1, "[1, 2]")]
    assert output(instance.next(completed(1))) == "end"


def test_what_an_episode_would_have_scheduled_before_it_was_suspended_waits_for_resume() -> None:
    instance = Episodes(steps)

    assert instance.begin(suspended()).scheduled == []
    assert called(instance.next(resumed())) == [(0, '"a"')]


def test_suspending_twice_takes_one_resume() -> None:
    instance = Episodes(steps)
    instance.begin()
    instance.next(suspended("one"))

    assert output(instance.next(suspended("two"))) == "two"
    assert instance.next(resumed()).instance.status == "Running"


def test_resumed_and_suspended_in_one_episode_is_suspended() -> None:
    instance = Episodes(steps)
    instance.begin()
    instance.next(suspended("one"), completed(0))

    decision = instance.next(resumed("a moment"), raised("go"), suspended("two"))

    assert (decision.instance.status, output(decision), decision.scheduled) == (
        "Suspended",
        "two",
        [],
    )
    assert ids(instance.next(resumed())) == [1]


def test_a_suspended_instance_ends_when_it_cancels_its_timer_on_an_event() -> None:
    def flow(context: Context) -> Flow:
        timer: Any = context.create_timer(LATER)
        yield context.task_any([timer, context.wait_for_external_event("go")])
        timer.cancel()
        return "gone"

    instance = Episodes(flow)
    instance.begin()
    instance.next(suspended())

    assert output(instance.next(raised("go"))) == "gone"


def test_a_suspended_instance_is_not_said_to_be_stuck() -> None:
    instance = Episodes(steps)
    instance.begin()
    instance.next(suspended())

    assert problems(instance.next(completed(0))) == []


@pytest.mark.parametrize(
    ("reason", "shown"), [("stop it", "stop it"), ("", None), ("5", 5), ('{"a": 1}', {"a": 1})]
)
def test_a_terminated_instance_shows_the_reason(reason: str, shown: Any) -> None:
    instance = Episodes(steps)
    instance.begin()

    decision = instance.next(terminated(reason))

    assert decision.instance.status == "Terminated"
    assert (decision.instance.output and output(decision)) == shown
    assert kinds(decision.events)[-2:] == ["ExecutionCompleted", "OrchestratorCompleted"]


def test_the_history_of_a_terminated_instance_has_the_reason_as_it_was_given() -> None:
    instance = Episodes(steps)
    instance.begin()

    decision = instance.next(terminated("stop it"))

    assert decision.events[-2]["Result"] == "stop it"


def test_a_suspended_instance_can_be_terminated() -> None:
    instance = Episodes(steps)
    instance.begin()
    instance.next(suspended())

    assert instance.next(completed(0), terminated("stop")).instance.status == "Terminated"


def test_what_was_decided_in_the_episode_of_the_termination_is_still_done() -> None:
    instance = Episodes(steps)

    decision = instance.begin(terminated("at once"))

    assert (decision.instance.status, ids(decision)) == ("Terminated", [0])


def test_an_instance_that_would_have_failed_is_terminated_all_the_same() -> None:
    instance = Episodes(steps)
    instance.begin()

    assert instance.next(failed(0), terminated("stop")).instance.status == "Terminated"
