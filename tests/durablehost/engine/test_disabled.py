"""Functions that `AzureWebJobs.NAME.Disabled` switches off, for those who call them."""

from collections.abc import AsyncIterator

import azure.durable_functions as df
import azure.functions as func
import pytest

from durablehost.errors import UnknownFunction
from durablehost.settings import Settings
from durablehost.testing import ManualHub

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.activity_trigger(input_name="x", activity="work")
def work_function(x):
    return "on"


@app.orchestration_trigger(context_name="context")
def child(context):
    return "on"
    yield


@app.entity_trigger(context_name="context")
def counter(context):
    context.set_state("on")
    context.set_result("on")


@app.orchestration_trigger(context_name="context")
def calls_activity(context):
    return (yield context.call_activity("work", "x"))


@app.orchestration_trigger(context_name="context")
def calls_child(context):
    return (yield context.call_sub_orchestrator("child"))


@app.orchestration_trigger(context_name="context")
def calls_entity(context):
    return (yield context.call_entity(df.EntityId("counter", "x"), "get"))


@pytest.fixture
async def hub() -> AsyncIterator[ManualHub]:
    disabled = frozenset({"work_function", "child", "counter"})
    async with ManualHub(app, settings=Settings(disabled=disabled)) as hub:
        yield hub


async def test_a_disabled_activity_fails_its_caller(hub: ManualHub) -> None:
    instance = await hub.start("calls_activity")

    assert hub.output(instance).startswith(
        "Orchestrator function 'calls_activity' failed: Activity function 'work' failed: "
        "Activity function 'work' is disabled. \n {"
    )


async def test_a_disabled_orchestrator_cannot_be_started(hub: ManualHub) -> None:
    with pytest.raises(UnknownFunction, match="'child' doesn't exist, is disabled, or is not an"):
        await hub.start("child", instance_id="c-1")

    answer = await hub.request("POST", "/runtime/webhooks/durabletask/orchestrators/child/c-2")
    assert answer.status == 400


async def test_a_disabled_child_fails_its_parent(hub: ManualHub) -> None:
    instance = await hub.start("calls_child")

    assert hub.output(instance).startswith(
        "Orchestrator function 'calls_child' failed: Orchestrator function 'child' failed: "
        "The function 'child' doesn't exist, is disabled, or is not an orchestrator function."
    )


async def test_a_call_of_a_disabled_entity_fails_its_caller(hub: ManualHub) -> None:
    instance = await hub.start("calls_entity")

    assert "The function 'counter' doesn't exist, is disabled" in hub.output(instance)


async def test_a_signal_to_a_disabled_entity_is_lost_with_a_warning(
    hub: ManualHub, caplog: pytest.LogCaptureFixture
) -> None:
    await hub.signal("counter", "x", "set")

    assert hub.entity_state("counter", "x") is None
    assert "@counter@x: 1 signals are lost, as on Azure: the entity function is disabled" in [
        record.getMessage() for record in caplog.records
    ]
