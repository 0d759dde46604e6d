"""Restarts with options, and the history of an instance in which a call was renamed."""

import azure.durable_functions as df
import pytest

from durablehost.testing import ManualHub

HOOKS = "/runtime/webhooks/durabletask/instances"
calls = {"first": "one"}  # what a test changes while an instance runs

app = df.DFApp()


@app.orchestration_trigger(context_name="context")
def waits(context):
    yield context.call_activity(calls["first"], "x")
    return (yield context.wait_for_external_event("Go"))


@app.activity_trigger(input_name="value")
def one(value):
    return value


@app.activity_trigger(input_name="value")
def two(value):
    return value


async def test_a_restart_under_an_id_that_runs_is_refused() -> None:
    async with ManualHub(app) as hub:
        first, second = await hub.start("waits"), await hub.start("waits")

        answer = await hub.request(
            "POST", f"{HOOKS}/{first}/restartWithOptions?newInstanceId={second}"
        )

    assert answer.status == 409


async def test_a_restart_under_an_id_that_has_ended_takes_its_place() -> None:
    async with ManualHub(app) as hub:
        first, second = await hub.start("waits", 1), await hub.start("waits", 2)
        await hub.terminate(second)

        await hub.request("POST", f"{HOOKS}/{first}/restartWithOptions?newInstanceId={second}")

        assert (hub.status(second), hub.instance(second).input) == ("Running", 1)


async def test_the_history_of_a_renamed_call_is_refused_and_the_problem_is_still_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with ManualHub(app) as hub:
        hub.allow_problems("replay-differs")
        instance = await hub.start("waits")
        monkeypatch.setitem(calls, "first", "two")
        await hub.raise_event(instance, "Go")

        shown = await hub.request("GET", f"{HOOKS}/{instance}?showHistory=true")
        plain = await hub.request("GET", f"{HOOKS}/{instance}")

    assert (shown.status, plain.status) == (400, 200)
    assert "X-Durablehost-Problems" in shown.headers
