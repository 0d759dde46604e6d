"""An orchestrator or an entity that loops or blocks holds up itself, and nothing else."""

import asyncio
import threading
from datetime import timedelta
from pathlib import Path

import azure.durable_functions as df
import pytest

from durablehost.engine import long_calls
from durablehost.settings import Settings
from tests.durablehost.engine.working import PATIENCE, Hold, Steps, Working, working

# An interruption can arrive in a callback of the garbage collector, which ignores it. It is sent
# again.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

ONE_SECOND = Settings(function_timeout=timedelta(seconds=1))


class Stuck:
    """An app with code that does not end, and code that does."""

    def __init__(self) -> None:
        self.app = df.DFApp()
        self.hold = Hold()
        self.runs: list[str] = []
        self.turns_end = False

        @self.app.orchestration_trigger(context_name="context")
        def loops(context: df.DurableOrchestrationContext) -> None:
            while True:
                pass

        @self.app.orchestration_trigger(context_name="context")
        def clings(context: df.DurableOrchestrationContext) -> None:
            while not self.hold.go_on.is_set():
                try:
                    self.hold.go_on.wait(0.01)
                except BaseException:
                    continue

        @self.app.orchestration_trigger(context_name="context")
        def blocks(context: df.DurableOrchestrationContext) -> str:
            self.runs.append(context.instance_id)
            self.hold.pass_by()
            return "done"

        @self.app.orchestration_trigger(context_name="context")
        def quick(context: df.DurableOrchestrationContext) -> str:
            return "done"

        @self.app.orchestration_trigger(context_name="context")
        def calls(context: df.DurableOrchestrationContext) -> Steps:
            return (yield context.call_entity(df.EntityId("turns", "x"), "turn"))

        @self.app.entity_trigger(context_name="context")
        def turns(context: df.DurableEntityContext) -> None:
            while not self.turns_end:
                pass

    async def block(self, work: Working, instance_id: str) -> None:
        """Have an instance block."""
        self.hold.arm()
        await work.started("blocks", instance_id)
        await self.hold.is_reached()

    async def reported(self, work: Working, instance_id: str, kind: str) -> str:
        """The text of a problem once it is reported."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for reported, problem in work.reported:
                    if (reported, problem.kind) == (instance_id, kind):
                        return problem.text
                await work.engine.saved()
                await asyncio.sleep(0)


@pytest.fixture
def reported_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Report long calls earlier, to save time."""
    monkeypatch.setattr(long_calls, "_REPORTED_AFTER", 0.3)


def threads_end() -> None:
    """Wait for the end of all threads on which orchestrators ran."""
    for thread in threading.enumerate():
        if thread.name == "orchestrators":
            thread.join(PATIENCE)
            assert not thread.is_alive()


async def test_beside_a_loop_other_instances_run_and_a_termination_ends_it() -> None:
    stuck = Stuck()
    async with working(stuck.app) as work:
        await work.started("loops", "loop")
        await work.started("quick", "other")
        other = await work.ended("other")
        work.client.terminate("loop", "enough")
        loop = await work.ended("loop")
        work.client.purge("loop")
        await work.started("quick", "loop")
        again = await work.ended("loop")

    assert (other.status, again.output) == ("Completed", '"done"')
    assert (loop.status, loop.output) == ("Terminated", '"enough"')
    threads_end()


@pytest.mark.usefixtures("reported_soon")
async def test_no_more_orchestrators_run_at_once_than_host_json_allows() -> None:
    stuck = Stuck()
    async with working(stuck.app, settings=Settings(max_concurrent_orchestrators=1)) as work:
        await stuck.block(work, "a")
        await work.started("quick", "b")
        await stuck.reported(work, "a", "runs-long")
        waiting = work.client.status("b").status
        stuck.hold.go_on.set()
        ended = [await work.ended(name) for name in ("a", "b")]

    assert waiting == "Pending"
    assert [one.status for one in ended] == ["Completed", "Completed"]


@pytest.mark.usefixtures("reported_soon")
async def test_a_loop_that_holds_the_only_place_can_be_terminated() -> None:
    stuck = Stuck()
    async with working(stuck.app, settings=Settings(max_concurrent_orchestrators=1)) as work:
        await work.started("loops", "loop")
        await work.started("quick", "other")
        await stuck.reported(work, "loop", "runs-long")
        work.client.terminate("loop", "enough")
        loop, other = await work.ended("loop"), await work.ended("other")

    assert (loop.status, other.status) == ("Terminated", "Completed")
    threads_end()


async def test_code_that_cannot_be_interrupted_costs_a_thread_and_nothing_else() -> None:
    stuck = Stuck()
    async with working(stuck.app) as work:
        await work.started("clings", "a")
        await work.started("quick", "b")
        await work.ended("b")
        work.client.terminate("a", "enough")
        ended = await work.ended("a")
        await work.started("quick", "c")
        other = await work.ended("c")
        stuck.hold.go_on.set()

    assert (ended.status, other.status) == ("Terminated", "Completed")


async def test_blocking_code_is_reported_with_its_line_and_others_of_its_kind_wait() -> None:
    stuck = Stuck()
    async with working(stuck.app) as work:
        await stuck.block(work, "a")
        text = await stuck.reported(work, "a", "runs-long")
        shown = work.engine.long_calls()
        await work.started("blocks", "b")
        await work.started("blocks", "c")
        work.client.terminate("c", "not needed")
        ended = await work.ended("c")
        runs = list(stuck.runs)
        stuck.hold.go_on.set()
        instances = [await work.ended(name) for name in ("a", "b")]
        problems = [one.kind for one in work.client.problems("a")]

    assert "tests/durablehost/engine/working.py:" in text
    assert "in pass_by" in text
    assert "orchestrator blocks of a has run for 2 s" in shown[0]
    assert ended.status == "Terminated"
    assert runs == ["a"]
    assert [one.status for one in instances] == ["Completed", "Completed"]
    assert problems == ["runs-long"]


@pytest.mark.usefixtures("reported_soon")
async def test_a_restart_does_not_begin_with_the_instance_that_blocked(tmp_path: Path) -> None:
    stuck = Stuck()
    async with working(stuck.app, tmp_path / "hub.db") as work:
        await stuck.block(work, "a")
        await stuck.reported(work, "a", "runs-long")
        await work.started("blocks", "b")
    stuck.hold.go_on.set()
    stuck.runs.clear()

    async with working(stuck.app, tmp_path / "hub.db") as work:
        for name in ("a", "b"):
            await work.ended(name)

    assert stuck.runs == ["b", "a"]


@pytest.mark.usefixtures("reported_soon")
async def test_an_entity_that_loops_can_be_purged_and_used_again() -> None:
    stuck = Stuck()
    async with working(stuck.app) as work:
        await work.started("calls", "a")
        text = await stuck.reported(work, "@turns@x", "runs-long")
        of_caller = await stuck.reported(work, "a", "stuck-entity")
        purged = work.client.purge("@turns@x")
        await work.engine.saved()
        stuck.turns_end = True
        await work.started("calls", "b")
        other = await work.ended("b")
        waiting = work.client.status("a").status

    assert "Purge the entity" in text
    assert of_caller == f"waits for the entity '@turns@x', which {text}"
    assert (purged, other.status, waiting) == (1, "Completed", "Running")
    threads_end()


async def test_an_orchestrator_that_times_out_stays_running_until_it_is_terminated() -> None:
    stuck = Stuck()
    async with working(stuck.app, settings=ONE_SECOND) as work:
        await work.started("loops", "a")
        text = await stuck.reported(work, "a", "timed-out")
        status = work.client.status("a").status
        work.client.terminate("a", "enough")
        ended = await work.ended("a")

    assert "functionTimeout (0:00:01)" in text
    assert "test_long_calls.py:" in text
    assert status in ("Pending", "Running")
    assert ended.status == "Terminated"


async def test_an_entity_that_times_out_fails_its_caller_in_the_words_of_the_host() -> None:
    stuck = Stuck()
    async with working(stuck.app, settings=ONE_SECOND) as work:
        await work.started("calls", "a")
        failed = await work.ended("a")

    assert failed.status == "Failed"
    assert "Timeout value of 00:00:01 was exceeded by function: Functions.turns" in str(
        failed.output
    )


KINDS: list[type[BaseException]] = [
    BaseException,
    SystemExit,
    KeyboardInterrupt,
    GeneratorExit,
    asyncio.CancelledError,
    RecursionError,
    MemoryError,
]


@pytest.mark.parametrize("events", [0, 150])  # none is kept between episodes, or all are
async def test_an_exception_of_any_kind_fails_its_instance_alone_and_once(
    events: int, tmp_path: Path
) -> None:
    app = df.DFApp()
    runs: list[str] = []

    @app.orchestration_trigger(context_name="context")
    def raises(context: df.DurableOrchestrationContext) -> Steps:
        for _ in range(events):
            yield context.wait_for_external_event("Word")
        runs.append(context.instance_id)
        raise next(kind for kind in KINDS if kind.__name__ == context.instance_id)("words")

    @app.orchestration_trigger(context_name="context")
    def quick(context: df.DurableOrchestrationContext) -> str:
        return "done"

    names = [kind.__name__ for kind in KINDS]
    async with working(app, tmp_path / "hub.db") as work:
        for name in names:
            work.client.start("raises", name)
            for number in range(events):
                work.client.raise_event(name, "Word", number)
        failed = [await work.ended(name) for name in names]
    runs_before = list(runs)
    async with working(app, tmp_path / "hub.db") as work:
        await work.started("quick", "other")
        other = await work.ended("other")
        after = [work.client.status(name).status for name in names]

    assert [one.status for one in failed] == after == ["Failed"] * len(KINDS)
    assert all("words" in str(one.output) for one in failed)
    assert other.status == "Completed"
    assert runs == runs_before


@pytest.mark.usefixtures("reported_soon")
async def test_a_loop_after_a_long_history_is_reported_and_can_be_terminated() -> None:
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def loops_late(context: df.DurableOrchestrationContext) -> Steps:
        for _ in range(100):
            yield context.wait_for_external_event("Word")
        while True:
            pass

    stuck = Stuck()
    async with working(app) as work:
        work.client.start("loops_late", "a")
        for _ in range(100):
            await work.told("a", "Word")
        text = await stuck.reported(work, "a", "runs-long")
        work.client.terminate("a", "enough")
        ended = await work.ended("a")

    assert "in loops_late" in text
    assert ended.status == "Terminated"
    threads_end()


async def test_an_exception_without_a_readable_message_fails_only_its_instance() -> None:
    class Untold(Exception):
        def __str__(self) -> str:
            raise SystemExit(1)

    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def raises(context: df.DurableOrchestrationContext) -> None:
        raise Untold

    async with working(app) as work:
        await work.started("raises", "a")
        failed = await work.ended("a")

    assert failed.status == "Failed"
