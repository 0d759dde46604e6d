"""continue_as_new in episodes: what the next generation begins with, and when it begins."""

import json
from typing import Any

import azure.durable_functions as df

from durablehost.hub import history
from durablehost.hub.backend import Decision
from durablehost.hub.history import Event
from tests.durablehost.episodes.stepping import (
    LATER,
    Context,
    Episodes,
    Flow,
    called,
    completed,
    failed,
    fired,
    ids,
    kinds,
    problems,
    raised,
)


def count(context: Context) -> Flow:
    given: Any = context.get_input()
    n = given["n"]
    yield context.call_activity("act", n)
    context.continue_as_new({"n": n + 1})


def counting(n: int, **options: Any) -> Episodes:
    return Episodes(count, input=json.dumps({"n": n}), **options)


def next_input(decision: Decision) -> Any:
    """The input of the generation that a decision begins."""
    return json.loads(decision.instance.input or "null")


def carried(decision: Decision) -> list[Event]:
    """The events that the next generation begins with, behind its start."""
    return [
        message.event
        for message in decision.messages
        if message.event.get("EventType") == history.EVENT_RAISED
    ]


def test_the_next_generation_begins_with_the_new_input() -> None:
    instance = counting(1)
    instance.begin()

    decision = instance.next(completed(0))

    assert decision.new_generation
    assert next_input(decision) == '{"n": 2}'
    assert (decision.instance.output, carried(decision)) == (None, [])


def test_a_generation_that_continues_at_once_needs_no_yield() -> None:
    def flow(context: Context) -> None:
        context.continue_as_new(None)

    decision = Episodes(flow).begin()

    assert (decision.new_generation, next_input(decision)) == (True, "null")


def test_ids_begin_again_in_each_generation() -> None:
    assert called(counting(2, generation=1).begin()) == [(0, "2")]


def test_the_first_episode_of_a_later_generation_ends_once_before_the_code_runs() -> None:
    decision = counting(2, generation=1).begin()

    assert kinds(decision.events) == [
        "OrchestratorStarted",
        "ExecutionStarted",
        "OrchestratorCompleted",
        "TaskScheduled",
        "OrchestratorCompleted",
    ]


def test_the_second_episode_of_a_later_generation_is_like_any_other() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("act")
        yield context.call_activity("act")

    instance = Episodes(flow, generation=1)
    instance.begin()

    assert kinds(instance.next(completed(0)).events) == [
        "OrchestratorStarted",
        "TaskCompleted",
        "TaskScheduled",
        "OrchestratorCompleted",
    ]


def test_a_later_generation_that_schedules_nothing_ends_its_first_episode_only_once() -> None:
    def flow(context: Context) -> Flow:
        yield context.wait_for_external_event("go")

    assert kinds(Episodes(flow, generation=1).begin().events) == [
        "OrchestratorStarted",
        "ExecutionStarted",
        "OrchestratorCompleted",
    ]


def test_a_later_generation_that_ends_at_once_ends_its_first_episode_again() -> None:
    decision = Episodes(lambda context: "end", generation=1).begin()

    assert kinds(decision.events)[2:] == [
        "OrchestratorCompleted",
        "ExecutionCompleted",
        "OrchestratorCompleted",
    ]


def collect(context: Context) -> Flow:
    item = yield context.wait_for_external_event("item")
    context.continue_as_new([item])


def test_events_that_come_with_the_one_that_continues_are_carried_over() -> None:
    instance = Episodes(collect)
    instance.begin()

    decision = instance.next(raised("item", 1), raised("item", 2), raised("other", 3))

    assert next_input(decision) == "[1]"
    assert [(event["Name"], event["Input"]) for event in carried(decision)] == [
        ("item", "2"),
        ("other", "3"),
    ]


def test_events_that_came_before_and_that_nobody_took_are_lost() -> None:
    instance = Episodes(collect)
    instance.begin()
    instance.next(raised("other", 0))

    assert carried(instance.next(raised("item", 1))) == []


def pending(context: Context) -> Flow:
    timer = context.create_timer(LATER)
    yield context.task_any([timer, context.wait_for_external_event("go")])
    context.continue_as_new("again")


def test_a_generation_waits_for_its_open_tasks_and_keeps_the_events_that_arrive() -> None:
    instance = Episodes(pending)
    instance.begin()
    waiting = instance.next(raised("go"))
    assert waiting.instance.status == "Running"
    assert problems(waiting) == ["kept-running"]
    assert instance.next(raised("go", "meanwhile")).instance.status == "Running"

    decision = instance.next(fired(0))

    assert decision.new_generation
    assert [event["Input"] for event in carried(decision)] == ['"meanwhile"']


def test_signals_sent_in_the_last_episode_of_a_generation_are_sent() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("act")
        context.signal_entity(df.EntityId("counter", "k"), "add", 1)
        context.continue_as_new(None)

    instance = Episodes(flow)
    instance.begin()

    decision = instance.next(completed(0))

    assert (decision.new_generation, ids(decision)) == (True, [1])


def test_calls_after_continue_as_new_are_not_made() -> None:
    def flow(context: Context) -> Flow:
        context.continue_as_new(None)
        yield context.call_activity("act")

    decision = Episodes(flow).begin()

    assert (decision.new_generation, decision.scheduled) == (True, [])


def test_a_failure_before_continue_as_new_ends_the_instance() -> None:
    instance = counting(1)
    instance.begin()

    assert instance.next(failed(0)).instance.status == "Failed"


def test_the_custom_status_of_a_generation_is_kept_until_the_next_has_had_an_episode() -> None:
    instance = counting(2, generation=1, custom_status='{"page":1}')

    assert instance.begin().instance.custom_status == '{"page":1}'
    assert instance.next(raised("anything")).instance.custom_status is None
