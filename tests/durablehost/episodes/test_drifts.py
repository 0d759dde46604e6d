"""Where the host and the SDK part ways over groups of tasks, and what becomes of the instance then.

The host waits for a whole action before it looks at the next, and it replays the list as it is now;
the SDK does neither.
"""

from typing import Any

import azure.durable_functions as df

from tests.durablehost.episodes.stepping import (
    LATER,
    Context,
    Episodes,
    Flow,
    called,
    child_failed,
    completed,
    failed,
    fired,
    ids,
    output,
    problems,
    timers,
)

RETRY = df.RetryOptions(5000, 3)


def after_the_first_failure(context: Context) -> Flow:
    tasks = [context.call_activity("act", n) for n in range(3)]
    try:
        yield context.task_all(tasks)
    except Exception as error:
        return (yield context.call_activity("other", str(error)))


def test_what_follows_a_failure_in_a_group_is_called_when_the_whole_group_has_ended() -> None:
    instance = Episodes(after_the_first_failure)
    instance.begin()

    assert called(instance.next(failed(1, "first"))) == []
    assert called(instance.next(failed(0, "second"))) == []
    assert called(instance.next(completed(2))) == [(3, '"first \\n details"')]
    assert output(instance.next(completed(3, "undone"))) == "undone"


def test_a_failure_nobody_catches_fails_the_instance_when_the_whole_group_has_ended() -> None:
    def flow(context: Context) -> Flow:
        yield context.task_all(
            [context.call_sub_orchestrator("child"), context.call_activity("act")]
        )

    instance = Episodes(flow)
    instance.begin()

    assert instance.next(child_failed(0, "broken")).instance.status == "Running"
    decision = instance.next(completed(1))
    assert decision.instance.status == "Failed"
    assert output(decision) == "Orchestrator function 'flow' failed: broken \n details"


def test_a_race_with_a_new_task_waits_only_for_the_new_task() -> None:
    def flow(context: Context) -> Flow:
        a, b = context.call_activity("act", "a"), context.call_activity("act", "b")
        yield context.task_any([a, b])
        yield context.task_any([b, context.call_activity("act", "c")])
        yield context.call_activity("other", "next")

    instance = Episodes(flow)
    assert ids(instance.begin()) == [0, 1]
    assert called(instance.next(completed(0))) == [(2, '"c"')]

    # b ends the second race for the SDK; the host was only told of c
    assert called(instance.next(completed(1))) == []
    assert called(instance.next(completed(2))) == [(3, '"next"')]


def test_a_task_in_two_groups_is_called_twice_with_two_ids() -> None:
    def flow(context: Context) -> Flow:
        a = context.call_activity("act", "a")
        first = context.task_any([a, context.call_activity("act", "b")])
        second = context.task_all([a, context.call_activity("act", "c")])
        yield first
        return (yield second)

    instance = Episodes(flow)
    assert called(instance.begin()) == [(0, '"a"'), (1, '"b"')]
    # a reports to the group made last, so that the first waits for b
    assert called(instance.next(completed(0, "A"))) == []
    assert called(instance.next(completed(1, "B"))) == [(2, '"a"'), (3, '"c"')]

    # to the SDK the second run of a is c
    assert instance.next(completed(2, "A again")).instance.status == "Running"
    assert output(instance.next(completed(3, "C"))) == ["A", "A again"]


def retry_against_the_clock(context: Context) -> Flow:
    timer: Any = context.create_timer(LATER)
    work = context.call_activity_with_retry("act", RETRY)
    winner = yield context.task_any([timer, work])
    if winner is work:
        timer.cancel()
    return (yield context.call_activity("other", "next"))


def test_a_timer_cancelled_after_a_retry_makes_the_replay_differ_from_the_history() -> None:
    instance = Episodes(retry_against_the_clock)
    assert ids(instance.begin()) == [0, 1]
    assert timers(instance.next(failed(1)))[0][0] == 2
    assert called(instance.next(fired(2))) == [(3, "null")]

    # the timer counts as cancelled from the outset now, so the next call takes the retry's id
    decision = instance.next(completed(3, "done"))

    assert decision.instance.status == "Failed"
    assert output(decision).startswith(
        "Non-Deterministic workflow detected: A previous execution of this orchestration"
        " scheduled a timer task with sequence number 2 named but the current orchestration"
        " replay instead produced a ScheduleTaskOrchestratorAction action"
    )
    assert problems(decision) == ["replay-differs"]


def test_a_timer_cancelled_without_any_retry_does_no_harm() -> None:
    instance = Episodes(retry_against_the_clock)
    instance.begin()

    assert called(instance.next(completed(1, "done"))) == [(2, '"next"')]
    assert output(instance.next(completed(2, "end"))) == "end"


def test_a_group_in_a_group_that_fails_and_then_ends_again_fails_as_if_code_had_changed() -> None:
    def flow(context: Context) -> Flow:
        inner = context.task_all([context.call_activity("act", n) for n in range(2)])
        try:
            yield context.task_all([inner, context.wait_for_external_event("go")])
        except Exception:
            yield context.call_activity("other", "undo")

    instance = Episodes(flow)
    instance.begin()
    assert instance.next(failed(0)).instance.status == "Running"

    # the SDK raises "completed twice" and tells no actions: the history fits nothing any more
    decision = instance.next(completed(1))

    assert decision.instance.status == "Failed"
    assert output(decision).startswith("Non-Deterministic workflow detected")
    [problem] = decision.problems
    assert problem.kind == "replay-cut-short"
    assert "completed twice" in problem.text
