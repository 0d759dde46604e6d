"""Entities and children in episodes: what is sent, and what an answer does."""

import json

import azure.durable_functions as df
import pytest

from durablehost.episodes.scheduled import CallChild, SendRequest
from durablehost.hub import history
from tests.durablehost.episodes.stepping import (
    START,
    Context,
    Episodes,
    Flow,
    called,
    child_completed,
    child_failed,
    ids,
    kinds,
    output,
    problems,
    replied,
)

COUNTER = df.EntityId("Counter", "Key")


def ask_twice(context: Context) -> Flow:
    first = yield context.call_entity(COUNTER, "add", 5)
    second = yield context.call_entity(COUNTER, "get")
    return [first, second]


def test_a_call_is_a_message_and_its_answer_an_event_of_the_messages_id() -> None:
    instance = Episodes(ask_twice)
    first = instance.begin()
    [request] = first.scheduled
    assert isinstance(request, SendRequest)
    assert (request.target, request.operation, request.input) == ("@counter@Key", "add", "5")

    second = instance.next(replied(request, 7))

    [again] = second.scheduled
    assert (again.id, kinds(second.events)[2]) == (1, "EventSent")
    assert output(instance.next(replied(again, None))) == [7, None]


def test_the_message_in_the_history_holds_the_id_its_answer_comes_under() -> None:
    decision = Episodes(ask_twice).begin()

    [sent] = [e for e in decision.events if e["EventType"] == history.EVENT_SENT]
    [request] = decision.scheduled
    assert isinstance(request, SendRequest)
    assert json.loads(sent["Input"])["id"] == request.request_id
    assert (sent["InstanceId"], sent["Name"]) == ("@counter@Key", "op")


def test_ids_of_messages_are_the_same_in_every_replay_and_differ_from_one_another() -> None:
    def flow(context: Context) -> Flow:
        yield context.task_all([context.call_entity(COUNTER, "add", n) for n in range(3)])

    def sent() -> list[str]:
        scheduled = Episodes(flow).begin().scheduled
        return [item.request_id for item in scheduled if isinstance(item, SendRequest)]

    assert sent() == sent()
    assert len(set(sent())) == 3


def test_an_operation_that_failed_raises_its_words_alone() -> None:
    def flow(context: Context) -> Flow:
        try:
            yield context.call_entity(COUNTER, "explode")
        except Exception as error:
            return [type(error).__name__, str(error)]

    instance = Episodes(flow)
    [request] = instance.begin().scheduled

    assert output(instance.next(replied(request, "no!", error=True))) == ["Exception", "no!"]


def test_a_signal_takes_an_id_and_is_not_waited_for() -> None:
    def flow(context: Context) -> Flow:
        context.signal_entity(COUNTER, "add", 1)
        context.signal_entity(COUNTER, "add", 2)
        yield context.call_activity("act")

    decision = Episodes(flow).begin()

    assert ids(decision) == [0, 1, 2]
    assert [getattr(item, "signal", None) for item in decision.scheduled] == [True, True, None]
    assert called(decision) == [(2, "null")]


def test_an_orchestrator_that_only_signals_ends_at_once_and_the_signals_are_sent() -> None:
    def flow(context: Context) -> Flow:
        context.signal_entity(COUNTER, "add", 1)
        return "sent"
        yield

    decision = Episodes(flow).begin()

    assert (decision.instance.status, ids(decision)) == ("Completed", [0])
    assert kinds(decision.events)[2:] == [
        "EventSent",
        "ExecutionCompleted",
        "OrchestratorCompleted",
    ]


def test_a_call_that_lost_a_race_does_not_keep_the_instance_running() -> None:
    def flow(context: Context) -> Flow:
        call = context.call_entity(COUNTER, "get")
        yield context.task_any([call, context.wait_for_external_event("go")])
        return "gone"

    instance = Episodes(flow)
    instance.begin()

    assert output(instance.next(history.event_raised(START, "go", None))) == "gone"


def test_an_answer_is_found_in_a_history_that_was_recorded_elsewhere() -> None:
    instance = Episodes(ask_twice)
    [request] = instance.begin().scheduled
    assert isinstance(request, SendRequest)
    other_id = "19487b0f-1e72-5dad-96ad-1b039bcec88c"
    text = json.dumps(instance.past).replace(request.request_id, other_id)
    instance.past = json.loads(text)

    decision = instance.next(history.event_raised(START, other_id, json.dumps({"result": "7"})))

    assert ids(decision) == [1]
    assert problems(decision) == []


def test_a_child_is_started_under_an_id_made_of_the_parents_execution() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("act")
        first = yield context.call_sub_orchestrator("child", {"n": 1})
        return first

    instance = Episodes(flow)
    instance.begin()

    [child] = instance.next(history.task_completed(START, 0, "1")).scheduled

    assert child == CallChild(1, "child", "x:1", None, '{"n": 1}')
    assert output(instance.next(child_completed(1, {"ok": True}))) == {"ok": True}


def test_a_child_takes_the_id_and_version_it_is_given_and_they_become_words() -> None:
    def flow(context: Context) -> Flow:
        one = context.call_sub_orchestrator("child", instance_id="mine", version="1.0")
        two = context.call_sub_orchestrator("child", instance_id=5, version=2.0)  # type: ignore[arg-type]  # what people do
        yield context.task_all([one, two])

    scheduled = Episodes(flow).begin().scheduled

    assert scheduled == [
        CallChild(0, "child", "mine", "1.0", "null"),
        CallChild(1, "child", "5", "2.0", "null"),
    ]


def test_a_child_that_failed_raises_its_words_and_details() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_sub_orchestrator("child")

    instance = Episodes(flow)
    instance.begin()

    decision = instance.next(child_failed(0, "Orchestrator function 'child' failed: no"))

    assert output(decision) == (
        "Orchestrator function 'flow' failed: Orchestrator function 'child' failed: no \n details"
    )


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("I", "that of the caller or its parent"),
        ("parent", "that of the caller or its parent"),
        ("@counter@k", "begins with @"),
    ],
)
def test_a_child_under_an_id_it_cannot_have_is_dropped_and_waited_for_forever(
    given: str, why: str
) -> None:
    def flow(context: Context) -> Flow:
        yield context.call_sub_orchestrator("child", instance_id=given)

    decision = Episodes(flow, parent_id="Parent").begin()

    assert (decision.instance.status, decision.scheduled) == ("Running", [])
    [dropped] = decision.problems
    assert dropped.kind == "dropped-call"
    assert why in dropped.text
