"""Episodes: what is scheduled, in which order, under which ids, and what the history becomes."""

import json
from datetime import timedelta
from typing import Any

from durablehost.hub import history
from tests.durablehost.episodes.stepping import (
    LATER,
    Context,
    Episodes,
    Flow,
    called,
    completed,
    fired,
    kinds,
    output,
    raised,
)


def test_an_episode_is_its_start_what_came_in_what_was_scheduled_and_its_end() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("act", "a")

    decision = Episodes(flow).begin()

    assert decision.instance.status == "Running"
    assert called(decision) == [(0, '"a"')]
    assert kinds(decision.events) == [
        "OrchestratorStarted",
        "ExecutionStarted",
        "TaskScheduled",
        "OrchestratorCompleted",
    ]


def test_what_an_episode_saw_counts_as_played_and_what_it_made_does_not() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("act")

    decision = Episodes(flow).begin()

    assert [event["IsPlayed"] for event in decision.events] == [False, True, False, False]


def test_the_next_activity_is_called_when_the_one_before_has_ended() -> None:
    def flow(context: Context) -> Flow:
        first = yield context.call_activity("act", 1)
        return (yield context.call_activity("act", first + 1))

    instance = Episodes(flow)
    instance.begin()

    assert called(instance.next(completed(0, 10))) == [(1, "11")]
    last = instance.next(completed(1, 12))
    assert (last.instance.status, output(last)) == ("Completed", 12)


def test_an_episode_without_news_for_the_orchestrator_schedules_nothing_again() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("act")

    instance = Episodes(flow)
    instance.begin()

    decision = instance.next(raised("nobody waits for this"))

    assert decision.scheduled == []
    assert kinds(decision.events) == [
        "OrchestratorStarted",
        "EventRaised",
        "OrchestratorCompleted",
    ]


def test_several_completions_in_one_episode_take_the_orchestrator_several_steps() -> None:
    def flow(context: Context) -> Flow:
        first = yield context.wait_for_external_event("one")
        second = yield context.wait_for_external_event("two")
        yield context.call_activity("act", first + second)

    instance = Episodes(flow)
    instance.begin()

    assert called(instance.next(raised("one", 1), raised("two", 2))) == [(0, "3")]


def test_the_end_has_the_next_id_and_the_output_as_json() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("act")
        return {"a": [1, "é"]}

    instance = Episodes(flow)
    instance.begin()

    decision = instance.next(completed(0))

    assert decision.instance.output == '{"a":[1,"é"]}'
    ended = decision.events[-2]
    assert ended["EventType"] == history.EXECUTION_COMPLETED
    assert (ended["EventId"], ended["OrchestrationStatus"]) == (1, "Completed")
    assert ended["Result"] == decision.instance.output


def test_an_orchestrator_that_returns_nothing_has_null_for_output() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("act")

    instance = Episodes(flow)
    instance.begin()

    assert instance.next(completed(0)).instance.output == "null"


def test_an_orchestrator_without_a_yield_ends_in_its_first_episode() -> None:
    decision = Episodes(lambda context: "at once").begin()

    assert (decision.instance.status, decision.instance.output) == ("Completed", '"at once"')


def test_a_task_that_is_never_yielded_is_never_scheduled() -> None:
    def flow(context: Context) -> Flow:
        context.call_activity("act")
        yield context.wait_for_external_event("go")

    assert Episodes(flow).begin().scheduled == []


def test_an_orchestrator_is_handed_its_input_its_ids_and_its_version() -> None:
    def flow(context: Context) -> Any:
        return [context.get_input(), context.instance_id, context.parent_instance_id]

    instance = Episodes(flow, input=json.dumps({"a": 1}), parent_id="p", version="2.0")

    decision = instance.begin()

    assert output(decision) == [{"a": 1}, "i", "p"]
    [body] = instance.bodies
    assert body["history"][1]["Version"] == "2.0"


def test_only_an_episode_that_has_a_past_is_a_replay() -> None:
    def flow(context: Context) -> Flow:
        replaying = [context.is_replaying]
        yield context.wait_for_external_event("a")
        replaying.append(context.is_replaying)
        yield context.wait_for_external_event("b")
        return [*replaying, context.is_replaying]

    instance = Episodes(flow)
    instance.begin()
    instance.next(raised("a"))

    assert output(instance.next(raised("b"))) == [True, True, False]
    assert [body["isReplaying"] for body in instance.bodies] == [False, True, True]


def test_the_time_an_orchestrator_sees_is_that_of_its_episode() -> None:
    def flow(context: Context) -> Flow:
        first = context.current_utc_datetime
        yield context.call_activity("act")
        return [str(first), str(context.current_utc_datetime)]

    instance = Episodes(flow)
    instance.begin()

    seen = output(instance.next(completed(0), after=timedelta(minutes=5)))

    assert seen == ["2026-01-01 00:00:01+00:00", "2026-01-01 00:05:01+00:00"]


def test_an_instance_stays_running_until_what_it_started_has_ended() -> None:
    def flow(context: Context) -> Flow:
        act, timer = context.call_activity("act"), context.create_timer(LATER)
        yield context.task_any([act, timer])
        return "returned"

    instance = Episodes(flow)
    instance.begin()

    returned = instance.next(completed(0))
    assert (returned.instance.status, returned.instance.output) == ("Running", None)
    assert output(instance.next(fired(1))) == "returned"
