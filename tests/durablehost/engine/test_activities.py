"""What happens to an instance while an activity of it runs."""

import asyncio
import json
import sqlite3
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import azure.durable_functions as df
import pytest

from durablehost.hub.backend import Query
from durablehost.settings import Settings
from tests.durablehost.engine.working import PATIENCE, Steps, Working, working


class Fetching:
    """An instance whose activity waits for the test, the first time it runs."""

    def __init__(self) -> None:
        self.runs = 0
        self.running = asyncio.Event()
        self.go_on = asyncio.Event()
        self.over = asyncio.Event()
        self.app = df.DFApp()

        @self.app.activity_trigger(input_name="given")
        async def fetch(given: str) -> int:
            self.runs += 1
            run = self.runs
            if run == 1:
                self.running.set()
                await self.go_on.wait()
                self.over.set()
            return run

        @self.app.orchestration_trigger(context_name="context")
        def process(context: df.DurableOrchestrationContext) -> Steps:
            return (yield context.call_activity(fetch, ""))

    async def terminate_meanwhile(self, work: Working) -> None:
        await work.started("process", "a")
        await self.running.wait()
        work.client.terminate("a", "enough")
        await work.engine.saved()
        await work.ended("a")

    async def end(self, work: Working) -> None:
        """Let the first run end, and what it makes be worked off."""
        self.go_on.set()
        await self.over.wait()
        for _ in range(3):
            await work.engine.saved()


async def test_the_end_of_an_activity_does_not_wake_a_terminated_instance() -> None:
    fetching = Fetching()
    async with working(fetching.app) as work:
        await fetching.terminate_meanwhile(work)
        before = work.client.status("a"), work.client.events("a")
        await fetching.end(work)
        after = work.client.status("a"), work.client.events("a")

    assert before[0].status == "Terminated"
    assert after == before


async def test_the_end_of_an_activity_does_not_bring_a_purged_instance_back() -> None:
    fetching = Fetching()
    async with working(fetching.app) as work:
        await fetching.terminate_meanwhile(work)
        purged = work.client.purge("a")
        await work.engine.saved()
        await fetching.end(work)
        found = work.client.list_instances(Query())

    assert purged == 1
    assert found == []


async def test_a_restarted_instance_gets_the_result_of_its_own_activity() -> None:
    fetching = Fetching()
    async with working(fetching.app) as work:
        await fetching.terminate_meanwhile(work)
        work.client.restart("a", "a")
        await work.engine.saved()
        await fetching.end(work)
        instance = await work.ended("a")

    assert (instance.status, instance.output) == ("Completed", "2")
    assert fetching.runs == 2


async def test_an_activity_cut_off_by_a_stop_runs_again(tmp_path: Path) -> None:
    fetching = Fetching()
    async with working(fetching.app, tmp_path / "hub.db") as work:
        await work.started("process", "a")
        await fetching.running.wait()

    async with working(fetching.app, tmp_path / "hub.db") as work:
        instance = await work.ended("a")

    assert instance.output == "2"
    assert not fetching.over.is_set()


async def test_the_ends_of_activities_get_on_disk_while_their_instance_waits_for_another(
    tmp_path: Path,
) -> None:
    fetching = Fetching()

    @fetching.app.activity_trigger(input_name="given")
    def quick(given: str) -> str:
        return given

    @fetching.app.orchestration_trigger(context_name="context")
    def all_of_them(context: df.DurableOrchestrationContext) -> Steps:
        calls = [context.call_activity("quick", "done") for _ in range(100)]
        return (yield context.task_all([context.call_activity("fetch", ""), *calls]))

    def read(sql: str) -> list[tuple[str]]:
        with closing(sqlite3.connect(tmp_path / "hub.db")) as reader:
            return reader.execute(sql).fetchall()

    async with working(fetching.app, tmp_path / "hub.db") as work:
        await work.started("all_of_them", "a")
        async with asyncio.timeout(PATIENCE):
            while await asyncio.to_thread(read, "SELECT name FROM activities") != [("fetch",)]:
                pass
        fetching.go_on.set()
        instance = await work.ended("a")

    assert json.loads(instance.output or "") == [1, *["done"] * 100]


@pytest.mark.parametrize("is_async", [False, True])
async def test_an_exception_of_any_kind_fails_its_activity_alone(is_async: bool) -> None:
    kinds = [SystemExit, KeyboardInterrupt, GeneratorExit, RecursionError, MemoryError]
    app = df.DFApp()

    def fail(number: int) -> None:
        raise kinds[number]("words")

    if is_async:

        @app.activity_trigger(input_name="number")
        async def fails(number: int) -> None:
            fail(number)

    else:

        @app.activity_trigger(input_name="number")
        def fails(number: int) -> None:
            fail(number)

    @app.orchestration_trigger(context_name="context")
    def process(context: df.DurableOrchestrationContext) -> Steps:
        told = []
        for number in range(len(kinds)):
            try:
                yield context.call_activity("fails", number)
            except Exception as error:
                told.append(str(error))
        return told

    async with working(app) as work:
        await work.started("process", "a")
        ended = await work.ended("a")

    assert ended.status == "Completed"
    told = json.loads(ended.output or "")
    assert len(told) == len(kinds)
    for words, kind in zip(told, kinds, strict=True):
        assert f"{kind.__name__}: words" in words


async def test_activities_beyond_the_maximum_start_when_others_end_without_any_request() -> None:
    app, all_done = df.DFApp(), asyncio.Event()
    fetched: list[int] = []

    @app.activity_trigger(input_name="number")
    async def fetch(number: int) -> None:
        fetched.append(number)
        if len(fetched) == 20:
            all_done.set()

    @app.orchestration_trigger(context_name="context")
    def process(context: df.DurableOrchestrationContext) -> Steps:
        yield context.task_all([context.call_activity(fetch, number) for number in range(20)])

    async with working(app, settings=Settings(max_concurrent_activities=1)) as work:
        await work.started("process", "a")
        async with asyncio.timeout(PATIENCE):
            await all_done.wait()

    assert fetched == list(range(20))


async def test_an_activity_that_times_out_is_reported_with_its_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    release = threading.Event()
    app = df.DFApp()

    @app.activity_trigger(input_name="given")
    def blocks(given: str) -> None:
        release.wait(60)

    @app.orchestration_trigger(context_name="context")
    def process(context: df.DurableOrchestrationContext) -> Steps:
        return (yield context.call_activity("blocks", None))

    async with working(app, settings=Settings(function_timeout=timedelta(seconds=1))) as work:
        await work.started("process", "a")
        failed = await work.ended("a")
    release.set()

    assert failed.status == "Failed"
    [line] = [one.message for one in caplog.records if one.message.startswith("activity blocks")]
    assert line.startswith(
        "activity blocks of a failed at tests/durablehost/engine/test_activities"
    )
    assert line.endswith("Timeout value of 00:00:01 was exceeded by function: Functions.blocks")
