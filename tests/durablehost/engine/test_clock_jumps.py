"""A machine whose clock jumps while instances wait for timers."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import azure.durable_functions as df
import pytest

from durablehost.hub.clock import SystemClock
from durablehost.hub.history import ORCHESTRATOR_STARTED
from tests.durablehost.engine.working import PATIENCE, Steps, working


async def test_a_timer_set_before_the_jump_fires_and_history_does_not_go_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    behind = timedelta()
    clock = SystemClock(lambda: datetime.now(UTC) - behind)
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def process(context: df.DurableOrchestrationContext) -> Steps:
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=2))
        yield context.wait_for_external_event("Go")
        return "done"

    async with working(app, tmp_path / "hub.db", clock=clock) as work:
        await work.started("process", "a")
        await work.until("a", lambda instance: instance.status == "Running")
        behind = timedelta(hours=1)
        await work.told("a", "Go")
        instance = await work.ended("a")
        events = work.client.events("a")
    stamps = [one["Timestamp"] for one in events if one["EventType"] == ORCHESTRATOR_STARTED]

    assert instance.output == '"done"'
    assert len(stamps) > 2
    assert stamps == sorted(stamps)
    assert [one.levelno for one in caplog.records if "was set back by 1:00:00" in one.message] == [
        logging.WARNING
    ]


async def test_a_timer_that_came_due_while_the_machine_slept_fires_without_being_asked(
    tmp_path: Path,
) -> None:
    ahead = timedelta()
    clock = SystemClock(lambda: datetime.now(UTC) + ahead)
    app = df.DFApp()
    fired = asyncio.Event()

    @app.activity_trigger(input_name="given")
    async def tell(given: str) -> None:
        fired.set()

    @app.orchestration_trigger(context_name="context")
    def process(context: df.DurableOrchestrationContext) -> Steps:
        yield context.create_timer(context.current_utc_datetime + timedelta(hours=1))
        yield context.call_activity(tell, "")

    async with working(app, tmp_path / "hub.db", clock=clock) as work:
        await work.started("process", "a")
        await work.until("a", lambda instance: instance.status == "Running")
        for _ in range(100):  # turns of the loop, after which the engine is at rest
            await asyncio.sleep(0)
        ahead = timedelta(hours=2)
        async with asyncio.timeout(PATIENCE):
            await fired.wait()
