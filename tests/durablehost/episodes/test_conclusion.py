"""From a piece of work to what is saved and sent: messages, children, versions."""

import json
from collections.abc import Callable
from typing import Any

import azure.durable_functions as df
import pytest

from durablehost.episodes import versions
from durablehost.episodes.activity_ends import failed_activity, failed_http
from durablehost.episodes.episode import NotForThisApp, run_episode
from durablehost.errors import FunctionFailed
from durablehost.hub import history
from durablehost.hub.backend import (
    Decision,
    Instance,
    NewActivity,
    OrchestrationWork,
    Parent,
    started,
)
from durablehost.hub.clock import ManualClock
from durablehost.hub.history import Event
from durablehost.settings import Settings
from durablehost.testing import ManualHub
from tests.durablehost.episodes.stepping import (
    APP,
    LATER,
    START,
    Context,
    Flow,
    app_with,
    call_of,
    completed,
    kinds,
    raised,
)

CLOCK = ManualClock(START)
PARENT = Parent("p", "px", 7, "caller", "1.0")


def instance_of(**changes: Any) -> Instance:
    fields: dict[str, Any] = {
        "id": "i",
        "name": "flow",
        "version": None,
        "execution_id": "x",
        "generation": 0,
        "status": "Pending",
        "input": "null",
        "output": None,
        "custom_status": None,
        "created": START,
        "updated": START,
    }
    return Instance(**fields | changes)


def first_episode(
    flow: Callable[[Context], Any], settings: Settings | None = None, *more: Event, **changes: Any
) -> Decision:
    table, instance = app_with(flow), instance_of(**changes)
    work = OrchestrationWork(instance, [], [], [started(instance, START), *more], ())
    return run_episode(work, call_of(table), table, CLOCK, settings or Settings())


def test_what_an_episode_schedules_is_sent_to_whom_it_is_for() -> None:
    def flow(context: Context) -> Flow:
        yield context.task_all(
            [
                context.call_activity("act", {"a": 1}),
                context.call_sub_orchestrator("child", 5),
                context.create_timer(LATER),
                context.call_entity(df.EntityId("counter", "k"), "add", 1),
            ]
        )

    decision = first_episode(flow)

    assert decision.activities == [NewActivity(0, "act", '{"a": 1}')]
    [(child, first)] = decision.children
    assert (child.id, child.name, child.input) == ("x:1", "child", '"5"')
    assert child.parent == Parent("i", "x", 1, "flow", None)
    assert (first.target, kinds([first.event])) == ("x:1", ["ExecutionStarted"])
    timer, request = decision.messages
    assert (timer.target, timer.event["TimerId"]) == ("i", 2)
    assert timer.due == LATER
    assert (request.target, request.event["op"], request.event["input"]) == (
        "@counter@k",
        "add",
        '"1"',
    )


def test_timers_and_children_of_an_execution_are_for_that_execution_alone() -> None:
    def flow(context: Context) -> Flow:
        yield context.create_timer(LATER)

    [timer] = first_episode(flow).messages

    assert timer.execution_id == "x"


def test_a_child_that_ends_tells_its_parent_the_result() -> None:
    [message] = first_episode(lambda context: {"ok": True}, parent=PARENT).messages

    assert (message.target, message.execution_id) == ("p", "px")
    assert kinds([message.event]) == ["SubOrchestrationInstanceCompleted"]
    assert (message.event["TaskScheduledId"], message.event["Result"]) == (7, '{"ok":true}')


def test_a_child_that_fails_tells_its_parent_the_words_and_as_details_those_without_its_name() -> (
    None
):
    def flow(context: Context) -> Flow:
        yield context.task_all([])
        raise ValueError("no")

    [message] = first_episode(flow, parent=PARENT).messages

    assert kinds([message.event]) == ["SubOrchestrationInstanceFailed"]
    assert message.event["Reason"] == "Orchestrator function 'flow' failed: no"
    assert message.event["Details"] == "Message: no, StackTrace: "


def test_a_child_that_is_terminated_tells_its_parent_the_reason_without_details() -> None:
    def flow(context: Context) -> Flow:
        yield context.wait_for_external_event("go")

    stop = history.execution_terminated(START, "stop")

    [message] = first_episode(flow, None, stop, parent=PARENT).messages

    assert (message.event["Reason"], message.event["Details"]) == ("stop", None)


def test_an_instance_that_continues_as_new_sends_its_parent_nothing() -> None:
    def flow(context: Context) -> Flow:
        yield context.wait_for_external_event("go")

    assert first_episode(flow, parent=PARENT).messages == []


def again(context: Context) -> Flow:
    yield context.wait_for_external_event("go")
    context.continue_as_new({"n": 2})


def test_a_new_generation_has_a_new_execution_the_new_input_and_the_events_carried_over() -> None:
    decision = first_episode(again, None, raised("go"), raised("go", "late"), parent=PARENT)

    assert decision.new_generation
    instance = decision.instance
    assert (instance.id, instance.generation, instance.status) == ("i", 1, "Running")
    assert (instance.input, instance.parent) == (json.dumps('{"n": 2}'), PARENT)
    assert instance.execution_id != "x"
    assert kinds([message.event for message in decision.messages]) == [
        "ExecutionStarted",
        "EventRaised",
    ]
    assert {message.execution_id for message in decision.messages} == {instance.execution_id}


@pytest.mark.parametrize(
    ("given", "default", "got"),
    [(None, None, None), (None, "2.0", "2.0"), ("1.0", "2.0", "1.0"), ("", "2.0", "")],
)
def test_a_child_has_the_version_it_is_given_or_the_default(
    given: str | None, default: str | None, got: str | None
) -> None:
    def flow(context: Context) -> Flow:
        yield context.call_sub_orchestrator("child", version=given)

    [(child, _)] = first_episode(flow, Settings(default_version=default)).children

    assert child.version == got


def test_an_instance_of_a_version_the_app_does_not_run_is_refused_with_a_reason() -> None:
    with pytest.raises(NotForThisApp) as refused:
        first_episode(again, Settings(default_version="2.0"), version="3.0")

    assert refused.value.problem.kind == "version-mismatch"
    assert "has version '3.0' and stays Pending" in refused.value.problem.text


async def test_an_instance_of_such_a_version_is_terminated_without_a_history() -> None:
    async with ManualHub(APP, settings=Settings(default_version="2.0")) as hub:
        hub.allow_problems("version-mismatch")
        instance = await hub.start("flow", version="3.0")

        await hub.terminate(instance, "no longer needed")

        assert (hub.status(instance), hub.output(instance)) == ("Terminated", "no longer needed")
        assert hub.history(instance) == []


def test_it_fails_instead_where_host_json_says_so_and_its_parent_hears_no_reason() -> None:
    settings = Settings(default_version="2.0", version_failure="Fail")

    decision = first_episode(again, settings, version="3.0", parent=PARENT)

    assert decision.instance.status == "Failed"
    assert json.loads(decision.instance.output or "") == versions.MISMATCH
    assert kinds(decision.events) == [
        "OrchestratorStarted",
        "ExecutionStarted",
        "ExecutionCompleted",
    ]
    [message] = decision.messages
    assert (message.event["Reason"], message.event["Details"]) == (None, None)


def test_a_failed_activity_says_who_failed_and_how_and_holds_the_hosts_own_exception() -> None:
    failure = FunctionFailed("ValueError", "no such order", "the stack")

    event = failed_activity(3, "act", failure, CLOCK)

    assert event["TaskScheduledId"] == 3
    assert event["Reason"] == "Activity function 'act' failed: ValueError: no such order"
    details = json.loads(event["Details"])
    assert details["Message"] == "ValueError: no such order"
    assert details["InnerException"]["Message"] == (
        "Result: Failure\nException: ValueError: no such order\nStack: the stack"
    )
    assert "\n" not in event["Details"]


def test_a_request_without_an_answer_fails_with_the_words_of_the_connection() -> None:
    event = failed_http(3, "no route", CLOCK)

    assert event["Reason"] == "no route"


def test_an_instance_that_completed_has_its_output_and_what_it_saw() -> None:
    decision = first_episode(lambda context: "end", None, completed(99))

    assert (decision.instance.status, decision.instance.output) == ("Completed", '"end"')
    assert kinds(decision.events)[1:3] == ["ExecutionStarted", "TaskCompleted"]
