"""Starts: many at once, of one id at once, of an id that is purged or in use."""

import asyncio
import json
from pathlib import Path

import azure.durable_functions as df
import pytest

from durablehost.errors import HubFull, InstanceExists
from tests.durablehost.engine.working import Steps, working


def echoing() -> df.DFApp:
    app = df.DFApp()

    @app.activity_trigger(input_name="given")
    async def fetch(given: str) -> str:
        return given

    @app.orchestration_trigger(context_name="context")
    def process(context: df.DurableOrchestrationContext) -> Steps:
        return (yield context.call_activity(fetch, context.instance_id))

    @app.orchestration_trigger(context_name="context")
    def patient(context: df.DurableOrchestrationContext) -> Steps:
        return (yield context.wait_for_external_event("Go"))

    @app.orchestration_trigger(context_name="context")
    def parent(context: df.DurableOrchestrationContext) -> Steps:
        return (yield context.call_sub_orchestrator("patient", None, "taken"))

    return app


async def test_a_thousand_starts_at_once_all_end(tmp_path: Path) -> None:
    ids = [f"a:{number}" for number in range(1000)]
    async with working(echoing(), tmp_path / "hub.db") as work:
        await asyncio.gather(*(work.started("process", one) for one in ids))
        outputs = [(await work.ended(one)).output for one in ids]

    assert outputs == [json.dumps(one) for one in ids]


async def test_an_id_that_only_begins_like_that_of_an_entity_runs() -> None:
    async with working(echoing()) as work:
        await work.started("process", "@@x")
        instance = await work.ended("@@x")

    assert instance.output == '"@@x"'


async def test_of_two_starts_of_one_id_at_once_one_is_refused() -> None:
    async with working(echoing()) as work:
        outcomes = await asyncio.gather(
            *(work.started("process", "a") for _ in range(2)), return_exceptions=True
        )
        instance = await work.ended("a")

    assert [type(one) for one in outcomes] == [type(None), InstanceExists]
    assert instance.output == '"a"'


async def test_an_id_can_be_started_in_the_transaction_that_purges_it(tmp_path: Path) -> None:
    async with working(echoing(), tmp_path / "hub.db") as work:
        await work.started("process", "a")
        first = await work.ended("a")
        work.client.purge("a")
        await work.started("process", "a")
        second = await work.ended("a")

    assert second.output == '"a"'
    assert second.execution_id != first.execution_id


async def test_a_child_whose_id_is_in_use_fails_and_leaves_the_other_alone() -> None:
    async with working(echoing()) as work:
        await work.started("patient", "taken")
        await work.started("parent", "p")
        parent = await work.ended("p")
        await work.told("taken", "Go", "gone")
        other = await work.ended("taken")

    assert parent.status == "Failed"
    assert "already exists" in (parent.output or "")
    assert (other.status, other.output) == ("Completed", '"gone"')


async def test_a_request_to_a_stopped_engine_fails_with_a_message() -> None:
    async with working(echoing()) as work:
        await work.engine.stop()
        work.client.start("process", "a")
        with pytest.raises(HubFull, match="durablehost is stopping"):
            await work.engine.saved()
