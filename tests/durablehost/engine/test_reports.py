"""What the engine reports: why instances failed, and which of them wait for a stuck child."""

import azure.durable_functions as df

from durablehost.app.source import relative
from tests.durablehost.engine.working import Steps, working


def here() -> str:
    """This file, from the current folder, which other tests change."""
    return relative(__file__)


app = df.DFApp()


@app.orchestration_trigger(context_name="context")
def divides(context: df.DurableOrchestrationContext) -> Steps:
    yield context.wait_for_external_event("Go")
    return 1 // 0


@app.orchestration_trigger(context_name="context")
def calls_what_fails(context: df.DurableOrchestrationContext) -> Steps:
    return (yield context.call_activity("breaks", None))


@app.activity_trigger(input_name="given")
def breaks(given: object) -> None:
    raise ValueError("broken")


@app.orchestration_trigger(context_name="context")
def child(context: df.DurableOrchestrationContext) -> Steps:
    yield context.call_activity("nobody", None)


@app.orchestration_trigger(context_name="context")
def parent(context: df.DurableOrchestrationContext) -> Steps:
    yield context.call_sub_orchestrator("child", None, f"{context.instance_id}:child")


@app.orchestration_trigger(context_name="context")
def grandparent(context: df.DurableOrchestrationContext) -> Steps:
    yield context.call_sub_orchestrator("parent", None, "parent")


async def test_an_orchestrator_that_raises_is_reported_with_cause_file_and_line() -> None:
    async with working(app) as work:
        await work.started("divides", "a")
        await work.told("a", "Go")
        await work.ended("a")

    line = divides.build().get_user_function().orchestrator_function.__code__.co_firstlineno + 3
    text = f"failed: ZeroDivisionError: integer division or modulo by zero ({here()}:{line})"
    assert [(reported, problem.text) for reported, problem in work.reported] == [("a", text)]


async def test_an_activity_that_nobody_catches_is_reported_in_one_line() -> None:
    async with working(app) as work:
        await work.started("calls_what_fails", "a")
        await work.ended("a")

    [(_, problem)] = work.reported
    assert problem.text.startswith(
        f"failed: Activity function 'breaks' failed: ValueError: broken ({here()}:"
    )
    assert "\n" not in problem.text


async def test_every_parent_of_a_stuck_child_reports_it() -> None:
    async with working(app) as work:
        await work.started("grandparent", "top")
        await work.until("top", lambda _: work.client.problems("top") != [])
        [found] = work.client.problems("top")

    waiting = [(who, problem.text) for who, problem in work.reported if who != "parent:child"]
    child_is_stuck = "waits for its child 'parent:child' (child), which calls the activity 'nobody'"
    assert [who for who, _ in waiting] == ["parent", "top"]
    assert waiting[0][1].startswith(child_is_stuck)
    assert waiting[1][1].startswith(
        f"waits for its child 'parent' (parent), which {child_is_stuck}"
    )
    assert found.kind == "stuck-child"
