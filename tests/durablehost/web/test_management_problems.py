"""The status of an instance says, beside the host's own answer, that there is more to say."""

import azure.durable_functions as df

from durablehost.testing import ManualHub

app = df.DFApp()
STATUS = "/runtime/webhooks/durabletask/instances/"


@app.orchestration_trigger(context_name="context")
def lost(context):
    yield context.call_activity("nobody", 1)


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
