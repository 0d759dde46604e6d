"""What happens to an instance while an episode of it runs on another thread."""

import asyncio
import json
from pathlib import Path

import azure.durable_functions as df
import pytest

from durablehost.hub import history
from durablehost.settings import Settings
from tests.durablehost.engine.working import Hold, Steps, Working, working

# An interruption can arrive in a callback of the garbage collector, which ignores it. It is sent
# again.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

LONG = 400  # events: an episode on so long a history leaves the engine's own thread


class Long:
    """An instance with a long history, whose next episode waits for the test."""

    def __init__(self) -> None:
        self.hold = Hold()
        self.app = df.DFApp()

        @self.app.orchestration_trigger(context_name="context")
        def process(context: df.DurableOrchestrationContext) -> Steps:
            self.hold.pass_by()
            words = context.get_input() or []
            while (word := (yield context.wait_for_external_event("Word"))) != "stop":
                if word == "anew":
                    context.continue_as_new(words)
                    return None
                words.append(word)
            return words

    async def replay(self, work: Working, word: str) -> None:
        """Have an episode on this word wait in mid-replay."""
        work.client.start("process", "a")
        for number in range(LONG):
            work.client.raise_event("a", "Word", number)
        await work.engine.saved()
        await work.until("a", lambda _: len(work.client.events("a")) > LONG)
        self.hold.arm()
        await work.told("a", "Word", word)
        await self.hold.is_reached()

    def go_on(self) -> None:
        self.hold.go_on.set()


async def test_an_instance_terminated_during_a_replay_ends_terminated() -> None:
    long = Long()
    async with working(long.app) as work:
        await long.replay(work, "more")
        work.client.terminate("a", "enough")
        await work.engine.saved()
        before = work.client.status("a").status
        long.go_on()
        instance = await work.ended("a")
        ends = [one for one in work.client.events("a") if one["EventType"] == 1]

    assert before == "Running"
    assert (instance.status, instance.output) == ("Terminated", '"enough"')
    assert len(ends) == 1


async def test_an_instance_whose_replay_ended_it_takes_no_termination_any_more() -> None:
    long = Long()
    async with working(long.app) as work:
        await long.replay(work, "stop")
        work.client.terminate("a", "too late")
        await work.engine.saved()
        long.go_on()
        instance = await work.ended("a")
        for _ in range(3):
            await work.engine.saved()
        after = work.client.status("a")
        events = work.client.events("a")

    assert instance.status == "Completed"
    assert after == instance
    assert history.EXECUTION_TERMINATED not in [one["EventType"] for one in events]


async def test_events_that_come_during_a_replay_are_not_lost_on_the_next_generation() -> None:
    long = Long()
    async with working(long.app) as work:
        await long.replay(work, "anew")
        for word in ("one", "two"):
            await work.told("a", "Word", word)
        long.go_on()
        await work.until("a", lambda instance: instance.generation == 1)
        await work.told("a", "Word", "stop")
        instance = await work.ended("a")

    assert json.loads(instance.output or "")[LONG:] == ["one", "two"]


async def test_an_instance_that_is_replaced_during_a_replay_runs_from_its_start() -> None:
    long = Long()
    settings = Settings(may_replace_running=True)
    async with working(long.app, settings=settings) as work:
        await long.replay(work, "stop")
        await work.started("process", "a", json.dumps('["fresh"]'))
        second = work.client.status("a").execution_id
        long.go_on()
        await work.told("a", "Word", "stop")
        instance = await work.ended("a")

    assert instance.execution_id == second
    assert instance.output == '["fresh"]'


async def test_a_stop_does_not_wait_for_a_replay_which_is_run_again_next_time(
    tmp_path: Path,
) -> None:
    long = Long()
    async with working(long.app, tmp_path / "hub.db") as work:
        await long.replay(work, "stop")
    long.go_on()

    async with working(long.app, tmp_path / "hub.db") as work:
        instance = await work.ended("a")

    assert json.loads(instance.output or "") == list(range(LONG))


async def test_a_replay_that_ends_while_the_engine_stops_is_saved(tmp_path: Path) -> None:
    long = Long()
    async with working(long.app, tmp_path / "hub.db") as work:
        await long.replay(work, "stop")
        stopping = asyncio.create_task(work.engine.stop())
        await asyncio.wait([work.running])
        long.go_on()
        await stopping
        status = work.client.status("a").status

    assert status == "Completed"
