"""The status of an instance says, beside the host's own answer, that there is more to say."""

from pathlib import Path

import azure.durable_functions as df

from durablehost.testing import ManualHub
from tests.durablehost.refused_rows import refuse

app = df.DFApp()
STATUS = "/runtime/webhooks/durabletask/instances/"


@app.orchestration_trigger(context_name="context")
def lost(context):
    yield context.call_activity("nobody", 1)


@app.orchestration_trigger(context_name="context")
def unwritable(context):
    """Wait for a child that the hub of the test refuses, as durablehost does not expect."""
    yield context.call_sub_orchestrator("sound", None, "child")


@app.orchestration_trigger(context_name="context")
def sound(context):
    yield context.wait_for_external_event("Go")


async def test_the_status_of_an_instance_with_problems_says_where_they_stand() -> None:
    async with ManualHub(app) as hub:
        hub.allow_problems("unknown-function")
        instance_id = await hub.start("lost", instance_id="lost:1")
        answer = await hub.request("GET", STATUS + instance_id)

    said = answer.headers["X-Durablehost-Problems"]
    assert said == "1; see /admin/durablehost/problems?instanceId=lost%3A1"


async def test_the_status_of_an_instance_without_problems_says_nothing_more() -> None:
    async with ManualHub(app) as hub:
        answer = await hub.request("GET", STATUS + await hub.start("sound"))

    assert "X-Durablehost-Problems" not in answer.headers


async def test_the_status_says_that_durablehost_itself_failed_until_the_instance_has_ended(
    tmp_path: Path,
) -> None:
    async with ManualHub(app, data=tmp_path / "hub.db") as hub:
        refuse(tmp_path / "hub.db", "instances", "NEW.id = 'child'")
        hub.allow_problems("durablehost-failed")
        instance_id = await hub.start("unwritable")
        status = STATUS + instance_id
        failed = (await hub.request("GET", status)).json()
        await hub.request("POST", f"{status}/terminate?reason=enough")
        await hub.run_until_ended(instance_id)
        ended = (await hub.request("GET", status)).json()
        purged = await hub.request("DELETE", status)

    failure = failed.pop("durablehostFailure")
    assert failure.startswith("This instance was set aside because durablehost itself failed at it")
    assert (failed["runtimeStatus"], failed["customStatus"]) == ("Pending", None)
    assert ended.keys() == failed.keys()
    assert (ended["runtimeStatus"], purged.status) == ("Terminated", 200)


async def test_no_other_problem_adds_anything_to_a_status() -> None:
    async with ManualHub(app) as hub:
        hub.allow_problems("unknown-function")
        lost = (await hub.request("GET", STATUS + await hub.start("lost"))).json()
        healthy = (await hub.request("GET", STATUS + await hub.start("sound"))).json()

    assert lost.keys() == healthy.keys()
