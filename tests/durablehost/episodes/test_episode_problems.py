"""Problems of episodes: each is reported when there is one, and not when there is none."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from durablehost.hub.problems import unknown_function, unreadable_signal
from tests.durablehost.episodes.stepping import (
    LATER,
    Context,
    Episodes,
    Flow,
    completed,
    fired,
    problems,
    raised,
    suspended,
)

HERE = "tests/durablehost/episodes/test_episode_problems.py"


def line_in(flow: Any) -> int:
    """The number of the first line in an orchestrator."""
    return int(flow.__code__.co_firstlineno) + 1


def waits(context: Context) -> Flow:
    yield context.wait_for_external_event("Go")


# Names that the app does not have


def test_the_name_nearest_to_an_unknown_one_is_offered_with_all_the_others() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("Othr")

    problem = Episodes(flow).begin().problems[0]

    assert problem.subject == "activity Othr"
    assert problem.text == (
        f"calls the activity 'Othr' ({HERE}:{line_in(flow)}), which the app does not have. As on"
        " Azure, the instance waits for ever."
        " Did you mean 'other'? Known activities: 'act', 'other'."
    )


def test_no_name_is_suggested_if_none_is_similar() -> None:
    text = unknown_function("entity", "counter", []).text

    assert "Did you mean" not in text
    assert "Known entities: none." in text


def test_a_function_that_was_left_out_is_said_to_be() -> None:
    text = unknown_function(
        "activity", "save", ["load"], left_out="the name is invalid (app.py:3)"
    ).text

    assert "It was left out: the name is invalid (app.py:3)" in text


def test_no_other_name_is_offered_for_a_function_that_was_left_out() -> None:
    text = unknown_function(
        "activity", "save", ["safe"], left_out="the name is invalid (app.py:3)"
    ).text

    assert "Did you mean" not in text


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (
            "7",
            "signal 'add' with 7 by plain HTTP. .* Send it through the SDK's client.$",
        ),
        (
            None,
            "signal 'add' without an input. .* Read the input only in the operations",
        ),
    ],
)
def test_advice_about_an_unreadable_signal_depends_on_its_input(
    value: str | None, advice: str
) -> None:
    assert re.search(advice, unreadable_signal("add", value).text)


def test_a_known_name_is_not_a_problem() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("Act")

    assert problems(Episodes(flow).begin()) == []


# Instances that cannot go on


def test_an_orchestrator_that_waits_for_an_event_can_go_on() -> None:
    assert problems(Episodes(waits).begin()) == []


def test_an_orchestrator_that_waits_for_work_can_go_on() -> None:
    def flow(context: Context) -> Flow:
        yield context.create_timer(LATER)

    assert problems(Episodes(flow).begin()) == []


def test_a_problem_names_what_keeps_an_instance_running() -> None:
    def flow(context: Context) -> Flow:
        timer = context.create_timer(LATER)
        tasks = [
            timer,
            context.call_activity("act"),
            context.call_sub_orchestrator("child", instance_id="c"),
            context.wait_for_external_event("Go"),
        ]
        yield context.task_any(tasks)

    instance = Episodes(flow)
    assert problems(instance.begin()) == []

    [problem] = instance.next(raised("Go")).problems

    assert problem.kind == "kept-running"
    line = line_in(flow)
    assert (
        f"until this ends: activity 'act' ({HERE}:{line + 3}),"
        f" sub-orchestration 'child' (c) ({HERE}:{line + 4}),"
        f" the timer for 2026-01-01T01:00:00.000000Z ({HERE}:{line})."
    ) in problem.text


def test_an_instance_that_ends_with_its_orchestrator_is_not_kept_running() -> None:
    def flow(context: Context) -> Flow:
        yield context.task_all([context.call_activity("act", n) for n in range(2)])

    instance = Episodes(flow)
    instance.begin()

    assert problems(instance.next(completed(0))) == []
    assert problems(instance.next(completed(1))) == []


def test_a_problem_names_the_event_whose_abandoned_wait_keeps_an_instance_running() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("act")
        yield context.wait_for_external_event("Go")
        yield context.wait_for_external_event("Go")

    instance = Episodes(flow)
    instance.begin()
    instance.next(raised("Go"))

    [problem] = instance.next(completed(0)).problems

    assert problem.kind == "kept-running"
    assert "until this ends: the wait for another event 'Go'." in problem.text


def test_an_instance_can_go_on_that_waits_again_for_an_event_that_lost_a_race() -> None:
    def flow(context: Context) -> Flow:
        go = context.wait_for_external_event("Go")
        yield context.task_any([context.create_timer(LATER), go])
        yield go

    instance = Episodes(flow)
    instance.begin()

    assert problems(instance.next(fired(0))) == []


def test_an_instance_stopped_by_an_unknown_function_has_only_that_problem() -> None:
    def flow(context: Context) -> Flow:
        timer = context.create_timer(LATER)
        yield context.task_any([timer, context.wait_for_external_event("Go")])
        yield context.call_activity("nobody")

    instance = Episodes(flow)
    instance.begin()

    assert problems(instance.next(fired(0))) == ["unknown-function"]


def test_after_an_unknown_function_lost_a_race_a_later_yield_of_nothing_is_another_cause() -> None:
    def flow(context: Context) -> Flow:
        yield context.task_any([context.call_activity("nobody"), context.create_timer(LATER)])
        yield context.call_activity("act")
        yield None

    instance = Episodes(flow)
    assert problems(instance.begin()) == ["unknown-function"]
    assert problems(instance.next(fired(0))) == ["unknown-function"]

    assert problems(instance.next(completed(1))) == ["unknown-function", "cannot-go-on"]


def test_after_an_unknown_function_lost_a_race_an_event_can_still_come() -> None:
    def flow(context: Context) -> Flow:
        go = context.wait_for_external_event("Go")
        timer = context.create_timer(LATER)
        yield context.task_any([context.call_activity("nobody"), timer, go])
        yield go

    instance = Episodes(flow)
    instance.begin()

    assert problems(instance.next(fired(0))) == ["unknown-function"]


# Events in another spelling


def test_an_event_in_another_case_is_said_with_both_spellings() -> None:
    instance = Episodes(waits)
    instance.begin()

    problem = instance.next(raised("GO")).problems[0]

    assert (problem.kind, problem.subject) == ("event-name-case", "GO")
    assert "was sent the event 'GO' but waits for 'Go'" in problem.text


def test_an_event_in_another_case_is_said_even_where_it_came_before_the_wait() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("act")
        yield context.wait_for_external_event("Go")

    instance = Episodes(flow)
    instance.begin()
    assert problems(instance.next(raised("go"))) == []

    assert "event-name-case" in problems(instance.next(completed(0)))


def test_an_event_in_another_case_that_nobody_waits_for_is_not_a_problem() -> None:
    def flow(context: Context) -> Flow:
        yield context.wait_for_external_event("Go")
        yield context.wait_for_external_event("Stop")

    instance = Episodes(flow)
    instance.begin()
    instance.next(raised("Go"))

    assert problems(instance.next(raised("go"))) == []


def test_an_event_with_the_awaited_name_is_not_a_problem() -> None:
    instance = Episodes(waits)
    instance.begin()

    assert problems(instance.next(raised("Go"), raised("Other"))) == []


# Timers


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.999, True), (0.001, True), (1.0, False), (0.0, False), (-5.0, False)]
)
def test_a_timer_of_less_than_a_second_is_a_problem(seconds: float, said: bool) -> None:
    def flow(context: Context) -> Flow:
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=seconds))

    assert problems(Episodes(flow).begin()) == (["short-timer"] if said else [])


def test_a_short_timer_is_reported_when_it_is_set_and_not_in_every_replay() -> None:
    def flow(context: Context) -> Flow:
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=0.5))
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=5))

    instance = Episodes(flow)
    instance.begin()

    assert problems(instance.next(fired(0))) == []


# Inputs


@pytest.mark.parametrize("value", [None, {"a": 1}, {}, "5", '"text"', '{"a": 1}'], ids=repr)
def test_an_input_that_can_be_read_is_not_a_problem(value: Any) -> None:
    def flow(context: Context) -> Flow:
        context.get_input()
        yield context.wait_for_external_event("Go")

    assert problems(Episodes(flow, input=value).begin()) == []


@pytest.mark.parametrize("value", [5, 0, True, [], [1], "text", ""], ids=repr)
def test_an_input_that_get_input_cannot_read_is_said_with_the_input(value: Any) -> None:
    problem = Episodes(waits, input=value).begin().problems[0]

    assert problem.kind == "unreadable-input"
    assert f"was started by plain HTTP with {json.dumps(value)}" in problem.text


def test_an_unreadable_input_is_said_once() -> None:
    instance = Episodes(waits, input=[1])
    instance.begin()

    assert problems(instance.next(suspended())) == []


# Custom status


@pytest.mark.parametrize(("kilobytes", "said"), [(13, False), (14, True), (16, True), (17, False)])
def test_a_custom_status_near_its_limit_is_a_problem(kilobytes: int, said: bool) -> None:
    def flow(context: Context) -> Flow:
        context.set_custom_status("x" * (kilobytes * 512))
        yield context.wait_for_external_event("Go")

    decision = Episodes(flow).begin()

    assert ("custom-status-size" in problems(decision)) == said
    assert decision.instance.status == ("Failed" if kilobytes == 17 else "Running")
