"""Batches of operations on an entity: what is kept, what is answered, which problems it has."""

import json
from typing import Any

import pytest

from durablehost.episodes.entity_batch import run_entity_batch
from durablehost.hub.backend import Decision, EntityWork, Instance
from durablehost.hub.clock import ManualClock
from durablehost.hub.history import Event
from tests.durablehost.episodes.stepping import START, batch_of


def request(operation: str, value: Any = None, *, signal: bool = False) -> Event:
    return {
        "op": operation,
        "signal": signal,
        "input": json.dumps(json.dumps(value)),
        "id": f"id of {operation}",
        "parent": "i",
        "parentExecution": "x",
    }


def counter(context: Any) -> None:
    """An entity that knows `add`, `get`, `delete` and `explode`."""
    match context.operation_name:
        case "add":
            context.set_state(context.get_state(lambda: 0) + context.get_input())
        case "get":
            context.set_result(context.get_state(lambda: 0))
        case "delete":
            context.destruct_on_exit()
        case "explode":
            context.set_state(-1)
            raise ValueError("boom")


def batch(instance: Instance | None, *requests: Event) -> Decision:
    work = EntityWork("@counter@k", instance, list(requests), ())
    return run_entity_batch(work, batch_of(counter), ManualClock(START))


def results(decision: Decision) -> list[Any]:
    answers = [json.loads(message.event["Input"]) for message in decision.messages]
    return [json.loads(answer["result"]) for answer in answers]


def test_a_batch_is_done_in_order_and_each_call_is_answered() -> None:
    decision = batch(None, request("add", 2), request("add", 3, signal=True), request("get"))

    assert results(decision) == [None, 5]
    assert [message.event["Name"] for message in decision.messages] == ["id of add", "id of get"]
    assert {(m.target, m.execution_id) for m in decision.messages} == {("i", "x")}


def test_the_state_is_there_in_the_next_batch() -> None:
    kept = batch(None, request("add", 2)).instance

    assert results(batch(kept, request("add", 1), request("get")))[1] == 3


def test_a_deleted_entity_starts_without_a_state() -> None:
    kept = batch(None, request("add", 2)).instance
    gone = batch(kept, request("delete")).instance

    assert json.loads(gone.input or "")["state"] == "null"
    assert results(batch(gone, request("get"))) == [0]


def test_an_operation_that_fails_is_answered_with_its_words_and_leaves_its_state() -> None:
    decision = batch(None, request("explode"), request("get"))

    failure = json.loads(decision.messages[0].event["Input"])
    assert (json.loads(failure["result"]), failure["exceptionType"]) == ("boom", "Error")
    assert results(decision)[1] == -1


@pytest.mark.parametrize("text", [None, "5", '{"a": 1}'])
def test_a_signal_whose_input_cannot_be_read_is_a_problem(text: str | None) -> None:
    decision = batch(None, request("add", signal=True) | {"input": text})

    [problem] = decision.problems
    assert (problem.kind, problem.subject) == ("unreadable-signal", "add")


@pytest.mark.parametrize("text", ['"5"', None, "5"])
def test_a_signal_that_fails_otherwise_is_not_taken_for_unreadable(text: str | None) -> None:
    signal = request("explode", signal=True) | {"input": text}

    assert batch(None, signal).problems == []


def test_a_signal_whose_input_is_not_read_is_not_a_problem() -> None:
    assert batch(None, request("get", signal=True) | {"input": "5"}).problems == []
