"""Starts that look like something else, or hold more than can be read, leave nothing stuck."""

import azure.durable_functions as df
import pytest

from durablehost.testing import ManualHub

app = df.DFApp()
HOOKS = "/runtime/webhooks/durabletask"


@app.orchestration_trigger(context_name="context")
def at_once(context):
    return "at once"


@app.orchestration_trigger(context_name="context")
def reads(context):
    return context.get_input()


@app.entity_trigger(context_name="context")
def counter(context):
    context.set_result(context.get_input())


async def test_an_id_with_one_at_sign_is_an_orchestrations() -> None:
    async with ManualHub(app) as hub:
        answer = await hub.request("POST", f"{HOOKS}/orchestrators/at_once/@counter")
        output = hub.output("@counter")

    assert answer.status == 202
    assert output == "at once"


@pytest.mark.parametrize("depth", [100, 1_000, 100_000])
async def test_json_in_a_string_that_nests_too_deep_fails_its_instance_alone(depth: int) -> None:
    async with ManualHub(app) as hub:
        hub.allow_problems("unreadable-input")
        path = f"{HOOKS}/orchestrators/reads/deep"
        await hub.request("POST", path, json="[" * depth)
        deep = hub.status("deep")
        other = await hub.run_until_ended(await hub.start("at_once"))

    assert deep == "Failed"
    assert other.status == "Completed"


async def test_a_signal_that_nests_too_deep_is_said_to_be_unreadable() -> None:
    async with ManualHub(app) as hub:
        hub.allow_problems("unreadable-signal")
        path = f"{HOOKS}/entities/counter/k?op=read"
        await hub.request("POST", path, json="[" * 100_000)
        kinds = [problem.kind for problem in hub.problems("@counter@k")]

    assert kinds == ["unreadable-signal"]
