"""Orchestrators that were changed under a running instance, and what the host says of it."""

from typing import Any

import pytest

from durablehost.hub.backend import Decision
from tests.durablehost.episodes.stepping import (
    LATER,
    Context,
    Episodes,
    Flow,
    completed,
    output,
    raised,
    scripted,
)

ACT = {"actionType": 0, "functionName": "act", "input": "1"}
OTHER = {"actionType": 0, "functionName": "other", "input": "1"}
CHILD = {"actionType": 2, "functionName": "child", "input": "1", "instanceId": "c", "version": "1"}
CHILD_AGAIN = CHILD | {"functionName": "flow"}
TIMER = {"actionType": 5, "fireAt": "2026-01-02T00:00:00.000000Z", "isCanceled": False}
SIGNAL = {"actionType": 9, "instanceId": "@counter@k", "operation": "add", "input": "1"}
CALL = {"actionType": 7, "instanceId": "@counter@k", "operation": "get", "input": "1"}
EVENT = {"actionType": 6, "externalEventName": "e", "reason": "ExternalEvent"}

TIMER_MOVED = TIMER | {"fireAt": "2026-01-03T00:00:00.000000Z"}
HERE = "tests/durablehost/episodes/test_changed_code.py"

CHANGED = (
    " Was a change made to the orchestrator code after this instance had already started running?"
)
BEGINNING = (
    "Non-Deterministic workflow detected: A previous execution of this orchestration scheduled "
)


def activity_first(context: Context) -> Flow:
    yield context.call_activity("act", 1)


def timer_first(context: Context) -> Flow:
    yield context.create_timer(LATER)


def event_first(context: Context) -> Flow:
    yield context.wait_for_external_event("Go")


def changed(before: Any, after: Any) -> Decision:
    """The second episode of an instance whose code was changed after the first."""
    instance = Episodes(call=scripted(before))
    instance.begin()
    instance.call = scripted(after)
    return instance.next(raised("something"))


@pytest.mark.parametrize(
    ("before", "recorded"),
    [
        (ACT, "an activity task with sequence ID 0 and name 'act' (version ''),"),
        (
            CHILD,
            "a sub-orchestration task with sequence ID 0 and name 'child'"
            " (version '1', instance ID 'c'),",
        ),
        (TIMER, "a timer task with sequence number 0"),
        (
            SIGNAL,
            "a send event task with sequence ID 0, type 'EventSent' name 'op',"
            " instance ID '@counter@k',",
        ),
    ],
    ids=["activity", "child", "timer", "signal"],
)
def test_a_step_that_the_code_no_longer_makes_fails_the_instance(
    before: Any, recorded: str
) -> None:
    decision = changed(before, EVENT)

    assert decision.instance.status == "Failed"
    assert output(decision) == (
        f"{BEGINNING}{recorded} but the current replay execution hasn't (yet?) scheduled this task."
        + CHANGED
    )
    assert decision.events[-2]["Result"] == output(decision)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            ACT,
            TIMER,
            "an activity task with sequence number 0 named 'act', but the current orchestration"
            " replay instead produced a CreateTimerOrchestratorAction action with this sequence"
            " number.",
        ),
        (
            CHILD,
            ACT,
            "a sub-orchestration task with sequence ID 0 and name 'child' (version '1', instance ID"
            " 'c'), but the current orchestration replay instead produced a"
            " ScheduleTaskOrchestratorAction action at this sequence number.",
        ),
        (
            TIMER,
            CALL,
            "a timer task with sequence number 0 named but the current orchestration replay instead"
            " produced a SendEventOrchestratorAction action with this sequence number.",
        ),
        (
            CALL,
            CHILD,
            "a send event task with sequence ID 0, type 'EventSent', name 'op', instance ID"
            " '@counter@k', but the current orchestration replay instead scheduled a"
            " CreateSubOrchestrationAction task at this sequence number.",
        ),
        (
            ACT,
            OTHER,
            "an activity task with sequence number 0 named 'act', but the current orchestration"
            " replay instead scheduled an activity task named 'other' with this sequence number. ",
        ),
        (
            CHILD,
            CHILD_AGAIN,
            "a sub-orchestration task with sequence ID 0 and name 'child' (version '1', instance ID"
            " 'c'), but the current orchestration replay instead scheduled a sub-orchestration task"
            " with name flow at this sequence number.",
        ),
    ],
    ids=["activity", "child", "timer", "call of an entity", "renamed", "renamed child"],
)
def test_a_step_that_the_code_makes_differently_fails_the_instance(
    before: Any, after: Any, words: str
) -> None:
    decision = changed(before, after)

    assert decision.instance.status == "Failed"
    assert output(decision) == BEGINNING + words + CHANGED


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [
        (ACT, EVENT, "is activity 'act'; the code now does not do it: it waits."),
        (TIMER, ACT, "is the timer for 2026-01-02T00:00:00.000000Z; the code now has activity"),
        (CALL, TIMER, "is a request to @counter@k; the code now has the timer for"),
        (CHILD, ACT, "is sub-orchestration 'child'; the code now has activity 'act' there."),
        (ACT, OTHER, "is activity 'act'; the code now has activity 'other' there."),
        (CHILD, CHILD_AGAIN, "'child'; the code now has sub-orchestration 'flow' (c) there."),
    ],
    ids=["gone", "other kind", "entity", "child", "renamed", "renamed child"],
)
def test_the_first_difference_is_said_side_by_side(
    before: Any, after: Any, difference: str
) -> None:
    [problem] = [f for f in changed(before, after).problems if f.kind == "replay-differs"]

    assert "Step 0 of the history, scheduled at 2026-01-01T00:00:01.000000Z, is " in problem.text
    assert difference in problem.text


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [
        (ACT, ACT | {"input": "2"}, "is activity 'act' with another input than now."),
        (CHILD, CHILD | {"input": "2"}, "'child' with another input than now."),
        (CHILD, CHILD | {"instanceId": "d"}, "with the id 'c' instead of 'd' now."),
        (
            TIMER,
            TIMER_MOVED,
            "timer for 2026-01-02T00:00:00.000000Z instead of 2026-01-03T00:00:00",
        ),
        (CALL, CALL | {"input": "2"}, "a request to @counter@k with another input than now."),
        (CALL, CALL | {"operation": "set"}, "for the operation 'get' instead of 'set' now."),
        (CALL, CALL | {"instanceId": "@counter@l"}, "@counter@k instead of @counter@l now."),
    ],
    ids=["activity", "child", "child id", "timer", "entity input", "operation", "entity"],
)
def test_a_change_that_the_host_does_not_notice_is_reported(
    before: Any, after: Any, difference: str
) -> None:
    decision = changed(before, after)

    [problem] = decision.problems
    assert (decision.instance.status, problem.kind) == ("Running", "unnoticed-change")
    assert difference in problem.text


def test_names_in_other_case_do_not_differ() -> None:
    decision = changed(ACT, ACT | {"functionName": "ACT"})

    assert (decision.instance.status, decision.problems) == ("Running", [])


def test_shifted_results_and_a_later_failure_are_both_reported() -> None:
    instance = Episodes(call=scripted(ACT, TIMER))
    instance.begin()
    instance.next(completed(0))
    instance.call = scripted(ACT | {"input": "2"}, ACT, TIMER)

    kinds = [problem.kind for problem in instance.next(raised("something")).problems]

    assert kinds == ["unnoticed-change", "replay-differs"]


def test_the_line_of_the_orchestrator_is_named_on_both_sides() -> None:
    code = [activity_first, timer_first]
    instance = Episodes(lambda context: code[0](context))
    instance.begin()
    code.reverse()

    [problem] = instance.next(raised("something")).problems

    line = timer_first.__code__.co_firstlineno + 1
    assert f"({HERE}:{line}) there." in problem.text


def test_code_that_waits_instead_is_said_to_wait_with_its_line() -> None:
    code = [activity_first, event_first]
    instance = Episodes(lambda context: code[0](context))
    instance.begin()
    code.reverse()

    [problem] = instance.next(completed(0)).problems

    line = event_first.__code__.co_firstlineno + 1
    assert f"the code now does not do it: it waits ({HERE}:{line})." in problem.text


def test_new_steps_at_the_end_do_not_differ() -> None:
    instance = Episodes(call=scripted(ACT))
    instance.begin()
    instance.call = scripted(ACT, OTHER)

    decision = instance.next(completed(0))

    assert [item.id for item in decision.scheduled] == [1]
    assert decision.problems == []


def test_what_the_replay_had_decided_by_then_is_done_although_the_instance_fails() -> None:
    both = {"actionType": 12, "compoundActions": [ACT, EVENT]}
    instance = Episodes(call=scripted(TIMER))
    instance.begin()
    instance.call = scripted(both)

    decision = instance.next(raised("something"))

    assert decision.instance.status == "Failed"
    assert [item.id for item in decision.scheduled] == [0]
