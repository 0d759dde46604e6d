"""Calls that reach nobody, and actions that nobody can read."""

from typing import Any

import azure.durable_functions as df
import pytest

from tests.durablehost.episodes.stepping import (
    Context,
    Episodes,
    Flow,
    called,
    completed,
    ids,
    kinds,
    output,
    problems,
    scripted,
)

NOBODY = df.EntityId("nobody", "k")


def test_an_unknown_orchestrator_fails_with_the_known_names() -> None:
    decision = Episodes(call=None).begin()

    assert decision.instance.status == "Failed"
    assert output(decision) == (
        "Orchestrator function 'flow' failed: The function 'flow' doesn't exist, is disabled, or is"
        " not an orchestrator function. Additional info: The following are the known orchestrator"
        " functions: 'child', 'flow'."
    )


def calls_nobody(context: Context, task: Any) -> Flow:
    try:
        yield task
    except Exception:
        yield context.call_activity("act", "never reached")


@pytest.mark.parametrize(
    "make",
    [
        lambda context: context.call_activity("nobody"),
        lambda context: context.call_activity_with_retry("nobody", df.RetryOptions(5000, 3)),
        lambda context: context.call_sub_orchestrator("nobody"),
        lambda context: context.call_sub_orchestrator_with_retry(
            "nobody", df.RetryOptions(5000, 3)
        ),
        lambda context: context.call_entity(NOBODY, "get"),
    ],
    ids=["activity", "activity with retry", "child", "child with retry", "entity"],
)
def test_a_call_of_an_unknown_function_waits_forever_and_is_reported(make: Any) -> None:
    def flow(context: Context) -> Flow:
        yield from calls_nobody(context, make(context))

    decision = Episodes(flow).begin()

    assert (decision.instance.status, decision.scheduled) == ("Running", [])
    assert kinds(decision.events)[2:] == ["OrchestratorCompleted"]
    assert problems(decision) == ["unknown-function"]


def test_in_a_group_an_unknown_function_takes_no_id_and_gets_the_next_result() -> None:
    def flow(context: Context) -> Flow:
        nobody = context.call_activity("nobody")
        winner = yield context.task_any([nobody, context.call_activity("act")])
        return ["nobody" if winner is nobody else "act", winner.result]

    instance = Episodes(flow)
    first = instance.begin()
    assert (ids(first), problems(first)) == ([0], ["unknown-function"])

    assert output(instance.next(completed(0, "of act"))) == ["nobody", "of act"]


def test_a_signal_to_an_unknown_entity_fails_the_instance() -> None:
    def flow(context: Context) -> Flow:
        context.signal_entity(NOBODY, "add", 1)
        yield context.call_activity("act")

    decision = Episodes(flow).begin()

    assert decision.instance.status == "Failed"
    assert output(decision).startswith(
        "Orchestrator function 'flow' failed: The function 'nobody' doesn't exist, is disabled, or"
    )


def test_names_ignore_case() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("ACT")

    assert called(Episodes(flow).begin()) == [(0, "null")]


@pytest.mark.parametrize(
    "action",
    [
        {"actionType": 99},
        {"actionType": 0, "input": "1"},
        {"actionType": 0, "functionName": 5, "input": "1"},
        {"actionType": 5, "fireAt": "1-01-01T00:00:00.000000Z", "isCanceled": False},
        {"actionType": 7, "instanceId": "counter", "operation": "get", "input": "1"},
        {
            "actionType": 1,
            "functionName": "act",
            "input": "1",
            "retryOptions": {"firstRetryIntervalInMilliseconds": None, "maxNumberOfAttempts": 3},
        },
    ],
    ids=str,
)
def test_an_action_that_cannot_be_read_fails_the_instance(action: Any) -> None:
    decision = Episodes(call=scripted(action)).begin()

    assert (decision.instance.status, decision.scheduled) == ("Failed", [])
    assert output(decision).startswith("Orchestrator function 'flow' failed: ")
