"""Failures of episodes: of the code, of the SDK, of names nobody has, of statuses too big."""

from typing import Any

import pytest

from tests.durablehost.episodes.stepping import (
    Context,
    Episodes,
    Flow,
    called,
    completed,
    failed,
    output,
    problems,
)


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


def test_a_failed_activity_without_a_handler_fails_the_instance() -> None:
    def flow(context: Context) -> Flow:
        yield context.call_activity("act")

    instance = Episodes(flow)
    instance.begin()

    decision = instance.next(failed(0, "Activity function 'act' failed: ValueError: no"))

    assert output(decision) == (
        "Orchestrator function 'flow' failed:"
        " Activity function 'act' failed: ValueError: no \n details"
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
        yield context.task_any([context.call_activity("act", n) for n in range(3)])
        raise ValueError("enough")

    instance = Episodes(flow)
    instance.begin()

    waiting = instance.next(completed(0))
    assert (waiting.instance.status, problems(waiting)) == ("Running", ["kept-running"])
    [problem] = waiting.problems
    assert problem.text.startswith("has raised, but stays Running until this ends: activity 'act'")
    assert problem.text.count("activity 'act'") == 1
    assert "(2 times)" in problem.text
    assert "timer" not in problem.text
    instance.next(completed(1))
    assert instance.next(completed(2)).instance.status == "Failed"


def returns_a_set(context: Context) -> Flow:
    yield context.call_activity("act")
    return {1, 2}


def raises_after_continue_as_new(context: Context) -> Flow:
    yield context.call_activity("act")
    context.continue_as_new(1)
    raise ValueError("too late")


@pytest.mark.parametrize(
    ("flow", "cause"),
    [
        (returns_a_set, "TypeError: Object of type set is not JSON serializable"),
        (raises_after_continue_as_new, "ValueError: too late (tests/durablehost/episodes/"),
    ],
)
def test_a_failure_that_claims_to_be_done_hides_its_cause_but_a_problem_names_it(
    flow: Any, cause: str
) -> None:
    instance = Episodes(flow)
    instance.begin()

    decision = instance.next(completed(0))

    assert output(decision).startswith("Non-Deterministic workflow detected")
    [problem] = decision.problems
    assert problem.kind == "replay-cut-short"
    assert f"hides the cause: {cause}" in problem.text


def test_a_state_that_an_exception_text_claims_is_ignored() -> None:
    forged = '{"isDone": false, "actions": [[]], "error": "forged", "customStatus": "forged"}'

    def flow(context: Context) -> Flow:
        raise ValueError(f"no\n\n$OutOfProcData$:{forged}")
        yield

    decision = Episodes(flow).begin()

    assert (decision.instance.status, decision.instance.custom_status) == ("Failed", None)
    assert "One or more errors occurred. (Result: Failure" in output(decision)


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
def test_a_failure_before_the_first_yield_has_the_message_of_the_worker(
    error: BaseException, words: str
) -> None:
    def flow(context: Context) -> None:
        raise error

    decision = Episodes(flow).begin()

    assert decision.instance.status == "Failed"
    assert output(decision).startswith(
        "Orchestrator function 'flow' failed: One or more errors occurred. (Result: Failure\n"
        + words
    )


@pytest.mark.parametrize("junk", [5, "text", [1], {"a": 1}], ids=str)
def test_yielding_a_value_that_is_not_a_task_fails_the_instance(junk: Any) -> None:
    def flow(context: Context) -> Flow:
        yield junk

    decision = Episodes(flow).begin()

    assert decision.instance.status == "Failed"
    assert "has no attribute '_is_scheduled'" in output(decision)


def test_the_same_after_an_activity_passes_for_changed_code_and_durablehost_says_what_it_was() -> (
    None
):
    def flow(context: Context) -> Flow:
        yield context.call_activity("act")
        yield [context.call_activity("act")]

    instance = Episodes(flow)
    instance.begin()

    decision = instance.next(completed(0))

    assert output(decision).startswith("Non-Deterministic workflow detected")
    [problem] = decision.problems
    assert problem.kind == "replay-cut-short"
    assert "'list' object has no attribute '_is_scheduled'" in problem.text


def test_yielding_none_waits_forever_and_is_reported() -> None:
    def flow(context: Context) -> Flow:
        yield None

    decision = Episodes(flow).begin()

    assert (decision.instance.status, problems(decision)) == ("Running", ["cannot-go-on"])
