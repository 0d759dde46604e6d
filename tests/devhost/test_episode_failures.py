"""Failures of episodes: of the code, of the SDK, of names nobody has, of statuses too big."""

import json
from collections.abc import Generator
from typing import Any

import azure.durable_functions as df
import pytest

from devhost.episode import Decision
from tests.devhost.episodes import (
    Context,
    Episodes,
    called,
    completed,
    failed,
    findings,
    ids,
    kinds,
    output,
    raised,
    scripted,
)

Flow = Generator[Any, Any, Any]
NOBODY = df.EntityId("nobody", "k")


def test_words_of_an_exception_become_words_of_the_failure() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("act")
        raise ValueError("no such order")

    instance = Episodes(flow)
    instance.begin()

    decision = instance.next(completed(0))

    assert output(decision) == "Orchestrator function 'flow' failed: no such order"
    assert decision.events[-2]["Result"] == output(decision)
    assert decision.events[-2]["OrchestrationStatus"] == "Failed"


def test_an_exception_without_words_is_named_by_its_class() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("act")
        raise ValueError

    instance = Episodes(flow)
    instance.begin()

    assert output(instance.next(completed(0))).endswith("failed: <class 'ValueError'>")


def test_a_failed_activity_that_nobody_catches_fails_the_instance() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("act")

    instance = Episodes(flow)
    instance.begin()

    decision = instance.next(failed(0, "Activity function 'act' failed:  ValueError: no"))

    assert output(decision) == (
        "Orchestrator function 'flow' failed:"
        " Activity function 'act' failed:  ValueError: no \n details"
    )


def test_a_caught_failure_lets_the_orchestrator_compensate() -> None:
    def flow(context: Context) -> Flow:
        try:
            yield context.call_activity("act", "do")
        except Exception as error:
            yield context.call_activity("act", f"undo {type(error).__name__}")

    instance = Episodes(flow)
    instance.begin()

    assert called(instance.next(failed(0))) == [(1, '"undo Exception"')]


def test_an_instance_that_raised_fails_when_what_it_left_open_has_ended() -> None:
    def flow(context: Context) -> Flow:
        yield context.task_any([context.call_activity("act", n) for n in range(2)])
        raise ValueError("enough")

    instance = Episodes(flow)
    instance.begin()

    waiting = instance.next(completed(0))
    assert (waiting.status, findings(waiting)) == ("Running", ["kept-running"])
    assert instance.next(completed(1)).status == "Failed"


def test_a_result_that_is_no_json_fails_the_instance() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("act")
        return {1, 2}

    instance = Episodes(flow)
    instance.begin()

    decision = instance.next(completed(0))

    assert output(decision).endswith("failed: Object of type set is not JSON serializable")


class Silent(Exception):
    """An exception that cannot be put into words."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("no such order"), "Exception: ValueError: no such order\nStack: "),
        (SystemExit(3), "Exception: FunctionFailed: SystemExit: 3\nStack: "),
        (Silent(), "Exception: Silent: Unhandled exception in function."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failure_without_a_yield_is_told_by_the_worker(error: BaseException, words: str) -> None:
    def flow(context: Context) -> None:
        raise error

    decision = Episodes(flow).begin()

    assert decision.status == "Failed"
    assert output(decision).startswith(
        "Orchestrator function 'flow' failed: One or more errors occurred. (Result: Failure\n"
        + words
    )


@pytest.mark.parametrize("junk", [5, "text", [1], {"a": 1}], ids=str)
def test_a_yield_of_what_is_no_task_fails_the_instance(junk: Any) -> None:
    def flow(context: Context) -> Flow:
        yield junk

    decision = Episodes(flow).begin()

    assert decision.status == "Failed"
    assert "has no attribute '_is_scheduled'" in output(decision)


def test_the_same_after_an_activity_passes_for_changed_code_and_devhost_says_what_it_was() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("act")
        yield [context.call_activity("act")]

    instance = Episodes(flow)
    instance.begin()

    decision = instance.next(completed(0))

    assert output(decision).startswith("Non-Deterministic workflow detected")
    [finding] = decision.findings
    assert finding.kind == "replay-cut-short"
    assert "'list' object has no attribute '_is_scheduled'" in finding.text


def test_a_yield_of_none_waits_forever_and_is_said_to() -> None:
    def flow(context: Context) -> Flow:
        yield None

    decision = Episodes(flow).begin()

    assert (decision.status, findings(decision)) == ("Running", ["cannot-go-on"])


def test_an_orchestrator_nobody_has_fails_with_the_names_that_are_known() -> None:
    decision = Episodes(call=None).begin()

    assert decision.status == "Failed"
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
def test_a_call_to_nobody_waits_forever_and_is_said_to(make: Any) -> None:
    def flow(context: Context) -> Flow:
        yield from calls_nobody(context, make(context))

    decision = Episodes(flow).begin()

    assert (decision.status, decision.scheduled) == ("Running", [])
    assert kinds(decision.events)[2:] == ["OrchestratorCompleted"]
    assert findings(decision) == ["unknown-function", "cannot-go-on"]


def test_in_a_group_a_call_to_nobody_takes_no_id_and_gets_its_neighbours_result() -> None:
    def flow(context: Context) -> Flow:
        nobody = context.call_activity("nobody")
        winner = yield context.task_any([nobody, context.call_activity("act")])
        return ["nobody" if winner is nobody else "act", winner.result]

    instance = Episodes(flow)
    first = instance.begin()
    assert (ids(first), findings(first)) == ([0], ["unknown-function"])

    assert output(instance.next(completed(0, "of act"))) == ["nobody", "of act"]


def test_a_signal_to_nobody_fails_the_instance() -> None:
    def flow(context: Context) -> Flow:
        context.signal_entity(NOBODY, "add", 1)
        yield context.call_activity("act")

    decision = Episodes(flow).begin()

    assert decision.status == "Failed"
    assert output(decision).startswith(
        "Orchestrator function 'flow' failed: The function 'nobody' doesn't exist, is disabled, or"
    )


def test_names_ignore_case() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("ACT")

    assert called(Episodes(flow).begin()) == [(0, "null")]


def with_status(status: Any) -> Decision:
    def flow(context: Context) -> Flow:
        context.set_custom_status(status)
        yield context.call_activity("act")

    return Episodes(flow).begin()


def test_a_custom_status_is_what_was_set_last() -> None:
    def flow(context: Context) -> Flow:
        context.set_custom_status({"page": 1})
        yield context.wait_for_external_event("go")
        context.set_custom_status({"page": 2})
        yield context.wait_for_external_event("go on")

    instance = Episodes(flow)

    assert instance.begin().custom_status == '{"page":1}'
    assert instance.next(raised("go")).custom_status == '{"page":2}'


@pytest.mark.parametrize("nothing", [0, "", False, [], {}, None], ids=repr)
def test_a_custom_status_of_nothing_is_none(nothing: Any) -> None:
    assert with_status(nothing).custom_status is None


def test_a_custom_status_of_sixteen_kilobytes_is_the_largest() -> None:
    fits, too_big = "x" * (17 * 512 - 3), "x" * (17 * 512 - 2)  # with its quotes, in UTF-16

    assert with_status(fits).custom_status == json.dumps(fits)
    decision = with_status(too_big)
    assert (decision.status, decision.custom_status) == ("Failed", None)
    assert output(decision) == (
        "Orchestrator function 'flow' failed: The UTF-16 size of the JSON-serialized payload must"
        " not exceed 16 KB. The current payload size is 17 KB."
    )


def test_a_custom_status_is_measured_in_units_of_utf_16() -> None:
    fits, too_big = "😀" * (17 * 256 - 2), "😀" * (17 * 256 - 1)

    assert with_status(fits).status == "Running"
    assert with_status(too_big).status == "Failed"


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

    assert (decision.status, decision.scheduled) == ("Failed", [])
    assert output(decision).startswith("Orchestrator function 'flow' failed: ")
