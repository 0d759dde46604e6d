"""Half of a surrogate pair in what an orchestrator asks for. .NET stores U+FFFD in its place."""

import azure.durable_functions as df

from durablehost.testing import ManualHub
from tests.durablehost.engine.working import working

HALF = "a\ud800"
STORED = "a\ufffd"

app = df.DFApp()


@app.orchestration_trigger(context_name="context")
def child(context):
    return context.get_input()


@app.activity_trigger(input_name="value")
def echo(value):
    return value


@app.entity_trigger(context_name="context")
def counter(context):
    state = [*context.get_state(list), context.operation_name]
    context.set_state(state)
    context.set_result(state)


@app.orchestration_trigger(context_name="context")
def calls_child(context):
    return (yield context.call_sub_orchestrator("child", HALF, HALF))


@app.orchestration_trigger(context_name="context")
def calls_child_of_version(context):
    yield context.call_sub_orchestrator("child", HALF, version=HALF)


@app.orchestration_trigger(context_name="context")
def calls_entity(context):
    return (yield context.call_entity(df.EntityId("counter", HALF), HALF))


@app.orchestration_trigger(context_name="context")
def signals_entity(context):
    context.signal_entity(df.EntityId("counter", HALF), HALF)
    yield context.call_activity("echo", HALF)
    return HALF


@app.orchestration_trigger(context_name="context")
def tells(context):
    context.set_custom_status(HALF)
    return (yield context.wait_for_external_event(HALF))


@app.orchestration_trigger(context_name="context")
def continues(context):
    if context.get_input() is None:
        context.continue_as_new(HALF)
        return None
    return context.get_input()


@app.orchestration_trigger(context_name="context")
def raises(context):
    raise ValueError(HALF)


@app.orchestration_trigger(context_name="context")
def calls_nobody(context):
    yield context.call_activity(HALF, HALF)


@app.orchestration_trigger(context_name="context")
def calls_late(context):
    """Call a child once the orchestrator is kept in memory between its episodes."""
    for _ in range(40):
        yield context.call_activity("echo", "early")
    return (yield context.call_sub_orchestrator("child", "late", HALF))


async def test_ids_and_names_are_those_that_can_be_stored() -> None:
    async with ManualHub(app) as hub:
        called = await hub.result(await hub.start("calls_child"))
        asked = await hub.result(await hub.start("calls_entity"))
        signalled = await hub.result(await hub.start("signals_entity"))

        assert (called, asked, signalled) == (STORED, [STORED], STORED)
        assert hub.instance(STORED).status == "Completed"
        assert hub.entity_state("counter", STORED) == [STORED, STORED]


async def test_a_child_of_another_version_waits_as_any_other() -> None:
    async with ManualHub(app) as hub:
        hub.allow_problems("stuck-child", "version-mismatch")
        parent = await hub.start("calls_child_of_version")
        [waiting] = [one for one in hub.instances() if one.id != parent]

    assert (waiting.status, waiting.version) == ("Pending", STORED)


async def test_statuses_inputs_and_outcomes_are_those_that_can_be_stored() -> None:
    async with ManualHub(app) as hub:
        hub.allow_problems("unknown-function")
        continued = await hub.result(await hub.start("continues"))
        told = await hub.start("tells")
        status = hub.custom_status(told)
        await hub.terminate(told, HALF)
        failed = await hub.run_until_ended(await hub.start("raises"))
        lost = await hub.start("calls_nobody")
        [problem] = hub.problems(lost)
        output = hub.output(told)

    assert (continued, status, output) == (STORED, STORED, STORED)
    assert f"ValueError: {STORED}\n" in failed.output
    assert problem.subject == f"activity {STORED}"


async def test_an_orchestrator_that_is_kept_in_memory_stores_the_same() -> None:
    async with working(app) as work:
        await work.started("calls_late", "a")
        ended = await work.ended("a")
        child = work.client.status(STORED)

    assert (ended.output, child.status) == ('"late"', "Completed")
