"""A hub that cannot be written, a durablehost that fails: nothing is lost, and the rest goes on."""

import asyncio
import contextlib
import json
import logging
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import pytest

from durablehost.errors import HubFull, HubUnusable, InstanceNotFound
from durablehost.hub.backend import Query
from tests.durablehost.engine.working import PATIENCE, Hold, Steps, working
from tests.durablehost.full_disk import full_at, size_of
from tests.durablehost.refused_rows import refuse, take_again

HALF = "\ud800"  # of a surrogate pair


class Fault:
    """Fills the disk at the moment a function calls `strike`, until the test mends it."""

    def __init__(self, hub: Path) -> None:
        self._hub = hub
        self._mending = contextlib.ExitStack()
        self.is_armed = True
        self.struck = asyncio.Event()

    def strike(self) -> None:
        if self.is_armed:
            self.is_armed = False
            self._mending.enter_context(full_at(size_of(self._hub)))
            self.struck.set()

    async def mend(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.struck.wait()
        self._mending.close()


async def test_an_episode_that_a_full_disk_undid_is_run_again_once_there_is_room(
    tmp_path: Path,
) -> None:
    fault = Fault(tmp_path / "hub.db")
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def process(context: df.DurableOrchestrationContext) -> Steps:
        event = yield context.wait_for_external_event("Go")
        fault.strike()
        return event

    async with working(app, tmp_path / "hub.db") as work:
        await work.started("process", "a")
        await work.told("a", "Go", "gone")
        await fault.mend()
        instance = await work.ended("a")

    assert (instance.status, instance.output) == ("Completed", '"gone"')


async def test_a_request_on_a_full_disk_is_refused_and_the_next_one_taken(tmp_path: Path) -> None:
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def process(context: df.DurableOrchestrationContext) -> Any:
        return context.instance_id

    async with working(app, tmp_path / "hub.db") as work:
        await work.started("process", "a")
        await work.ended("a")
        with full_at(size_of(tmp_path / "hub.db")), pytest.raises(HubFull, match="Make room"):
            await work.started("process", "b")
        refused = work.client.list_instances(Query())
        await work.started("process", "b")
        instance = await work.ended("b")

    assert [one.id for one in refused] == ["a"]
    assert instance.output == '"b"'


async def test_operations_that_a_full_disk_undid_are_applied_once_and_in_order(
    tmp_path: Path,
) -> None:
    fault = Fault(tmp_path / "hub.db")
    fault.is_armed = False
    app = df.DFApp()

    @app.entity_trigger(context_name="context")
    def ledger(context: df.DurableEntityContext) -> None:
        entries = context.get_state(list)
        if len(entries) == 250:  # in mid of the second batch
            fault.strike()
        context.set_state([*entries, context.get_input()])

    async with working(app, tmp_path / "hub.db") as work:
        fault.is_armed = True
        for number in range(600):
            work.client.signal("ledger", "x", "enter", json.dumps(str(number)))
        await work.engine.saved()
        await fault.mend()
        work.client.signal("ledger", "x", "enter", json.dumps("600"))
        state: list[int] = []
        async with asyncio.timeout(PATIENCE):
            while len(state) < 601:
                with contextlib.suppress(HubFull):
                    await work.engine.saved()
                with contextlib.suppress(InstanceNotFound):
                    state = json.loads(work.client.entity_state("ledger", "x"))

    assert state == list(range(601))


async def test_an_activity_whose_end_a_full_disk_undid_is_not_run_again(tmp_path: Path) -> None:
    fault = Fault(tmp_path / "hub.db")
    app = df.DFApp()
    runs = []

    @app.activity_trigger(input_name="given")
    async def fetch(given: str) -> str:
        runs.append(given)
        fault.strike()
        return "fetched"

    @app.orchestration_trigger(context_name="context")
    def process(context: df.DurableOrchestrationContext) -> Steps:
        return (yield context.call_activity(fetch, context.instance_id))

    async with working(app, tmp_path / "hub.db") as work:
        await work.started("process", "a")
        await fault.mend()
        instance = await work.ended("a")

    assert instance.output == '"fetched"'
    assert runs == ["a"]


async def test_an_activity_that_runs_while_the_disk_is_full_ends_once_there_is_room(
    tmp_path: Path,
) -> None:
    fault = Fault(tmp_path / "hub.db")
    app = df.DFApp()
    runs: list[str] = []
    began, may_end = asyncio.Event(), asyncio.Event()

    @app.activity_trigger(input_name="given")
    async def fetch(given: str) -> str:
        runs.append(given)
        began.set()
        await may_end.wait()
        return "fetched"

    @app.orchestration_trigger(context_name="context")
    def process(context: df.DurableOrchestrationContext) -> Steps:
        return (yield context.call_activity(fetch, context.instance_id))

    @app.orchestration_trigger(context_name="context")
    def fills(context: df.DurableOrchestrationContext) -> Steps:
        yield context.wait_for_external_event("Go")
        fault.strike()

    async with working(app, tmp_path / "hub.db") as work:
        await work.started("fills", "b")
        await work.started("process", "a")
        async with asyncio.timeout(PATIENCE):
            await began.wait()
        await work.told("b", "Go", None)
        await fault.mend()
        await work.ended("b")  # what was lost is done again, beside the activity
        may_end.set()
        instance = await work.ended("a")

    assert instance.output == '"fetched"'
    assert runs == ["a"]


async def test_an_outcome_that_cannot_be_saved_costs_its_own_instance_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app, hub = df.DFApp(), tmp_path / "hub.db"

    @app.orchestration_trigger(context_name="context")
    def good(context: df.DurableOrchestrationContext) -> Steps:
        return (yield context.wait_for_external_event("Go"))

    @app.orchestration_trigger(context_name="context")
    def bad(context: df.DurableOrchestrationContext) -> Steps:
        yield context.wait_for_external_event("Go")
        return (yield context.call_sub_orchestrator(good, None, "child"))

    async with working(app, hub) as work:
        for name in ("good", "bad"):
            await work.started(name, name)
        await work.until("bad", lambda _: len(work.client.events("bad")) > 0)
        before = work.client.events("bad")
        refuse(hub, "instances", "NEW.id = 'child'")
        for name in ("good", "bad"):
            work.client.raise_event(name, "Go", "gone")
        await work.engine.saved()
        instance = await work.ended("good")
        await work.until("bad", lambda _: "durablehost itself failed" in caplog.text)
        after = work.client.events("bad")
        take_again(hub, "instances")
        await work.told("bad", "Other", "mended")
        await work.until("bad", lambda _: len(work.client.events("bad")) > len(before))
        await work.told("child", "Go", "gone too")
        mended = await work.ended("bad")

    assert instance.output == '"gone"'
    assert after == before
    assert mended.output == '"gone too"'
    assert [one.message for one in caplog.records if one.levelno == logging.ERROR] == [
        "bad: durablehost itself failed at this instance and sets it aside. Please report this"
    ]


async def test_a_damaged_hub_ends_the_work_and_fails_those_who_wait(
    tmp_path: Path,
) -> None:
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def process(context: df.DurableOrchestrationContext) -> Steps:
        while (yield context.wait_for_external_event("Word")) != "stop":
            pass

    async with working(app, tmp_path / "hub.db") as work:
        work.client.start("process", "a")
        for _ in range(100):
            work.client.raise_event("a", "Word", "mark" * 100)
        await work.engine.saved()
        await work.until("a", lambda _: len(work.client.events("a")) > 100)
    hub = tmp_path / "hub.db"
    hub.write_bytes(hub.read_bytes().replace(b"mark", b"\xff\xfe\xfd\xfc"))

    async with working(app, tmp_path / "hub.db") as work:
        work.client.raise_event("a", "Word", "stop")
        with pytest.raises(HubUnusable, match="Move it away"):
            await work.running
        with pytest.raises(HubFull, match="durablehost is stopping"):
            await work.engine.saved()


async def test_a_replay_that_was_undone_meanwhile_is_run_again(tmp_path: Path) -> None:
    hold = Hold()
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def process(context: df.DurableOrchestrationContext) -> Steps:
        hold.pass_by()
        words = 0
        while (yield context.wait_for_external_event("Word")) != "stop":
            words += 1
        return words

    async with working(app, tmp_path / "hub.db") as work:
        work.client.start("process", "a")
        for _ in range(400):
            work.client.raise_event("a", "Word", "go on")
        await work.engine.saved()
        await work.until("a", lambda _: len(work.client.events("a")) > 400)
        hold.arm()
        await work.told("a", "Word", "stop")
        await hold.is_reached()
        with full_at(size_of(tmp_path / "hub.db")), pytest.raises(HubFull):
            await work.started("process", "b")
        hold.go_on.set()
        instance = await work.ended("a")

    assert instance.output == "400"


async def test_an_activity_named_by_half_a_character_is_unknown_and_ends_nothing() -> None:
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def lost(context: df.DurableOrchestrationContext) -> Steps:
        yield context.call_activity(HALF, None)

    @app.orchestration_trigger(context_name="context")
    def good(context: df.DurableOrchestrationContext) -> str:
        return "done"

    async with working(app) as work:
        await work.started("lost", "a")
        await work.until("a", lambda _: work.client.problems("a") != [])
        [problem] = work.client.problems("a")
        await work.started("good", "b")
        ended = await work.ended("b")

    assert (problem.kind, problem.subject) == ("unknown-function", "activity \ufffd")
    assert ended.status == "Completed"


async def test_an_instance_at_which_durablehost_fails_can_be_terminated_and_purged(
    tmp_path: Path,
) -> None:
    app, hub = df.DFApp(), tmp_path / "hub.db"

    @app.orchestration_trigger(context_name="context")
    def bad(context: df.DurableOrchestrationContext) -> Steps:
        return (yield context.call_sub_orchestrator("bad", None, "child"))

    async with working(app, hub) as work:
        refuse(hub, "instances", "NEW.id = 'child'")
        await work.started("bad", "a")
        async with asyncio.timeout(PATIENCE):
            while not work.client.problems("a"):
                with contextlib.suppress(HubFull):  # the failure undid what was not saved
                    await work.engine.saved()
        [problem] = work.client.problems("a")
        work.client.terminate("a", "enough")
        ended = await work.ended("a")
        purged = work.client.purge("a")

    assert problem.kind == "durablehost-failed"
    assert "IntegrityError: this row is refused" in problem.text
    assert (ended.status, ended.output, purged) == ("Terminated", '"enough"', 1)


async def test_a_problem_that_cannot_be_noted_sets_its_instance_aside_and_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app, hub = df.DFApp(), tmp_path / "hub.db"

    @app.orchestration_trigger(context_name="context")
    def lost(context: df.DurableOrchestrationContext) -> Steps:
        yield context.call_activity("nobody", None)

    @app.orchestration_trigger(context_name="context")
    def good(context: df.DurableOrchestrationContext) -> str:
        return "done"

    async with working(app, hub) as work:
        refuse(hub, "problems", "NEW.instance_id = 'a'")
        await work.started("lost", "a")
        await work.until("a", lambda _: "a: durablehost itself failed to note" in caplog.text)
        await work.started("good", "b")
        ended = await work.ended("b")
        work.client.terminate("a", "enough")
        terminated = await work.ended("a")

    assert (ended.status, terminated.status) == ("Completed", "Terminated")
    assert caplog.text.count("durablehost itself failed to note") == 1


def with_a_row_of_each_kind() -> df.DFApp:
    app = df.DFApp()

    @app.activity_trigger(input_name="word")
    def echo(word: str) -> str:
        return word

    @app.orchestration_trigger(context_name="context")
    def calls(context: df.DurableOrchestrationContext) -> Steps:
        word = context.get_input()
        try:
            return (yield context.call_activity("echo", word))
        except Exception:
            return f"no echo of {word}"

    @app.orchestration_trigger(context_name="context")
    def counts(context: df.DurableOrchestrationContext) -> Steps:
        return (yield context.call_entity(df.EntityId("counter", str(context.get_input())), "add"))

    @app.entity_trigger(context_name="context")
    def counter(context: df.DurableEntityContext) -> None:
        context.set_state(context.entity_key)
        context.set_result(context.entity_key)

    return app


@pytest.mark.parametrize(
    ("table", "condition", "name", "at"),
    [
        ("activities", "NEW.input LIKE '%bad%'", "calls", "bad"),
        ("history", "NEW.events LIKE '%bad%'", "calls", "bad"),
        ("instances", "NEW.id = '@counter@bad'", "counts", "@counter@bad"),
    ],
)
async def test_a_row_that_cannot_be_written_costs_its_own_instance_only(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    table: str,
    condition: str,
    name: str,
    at: str,
) -> None:
    hub = tmp_path / "hub.db"

    async with working(with_a_row_of_each_kind(), hub) as work:
        refuse(hub, table, condition)
        for word in ("one", "bad", "two"):
            work.client.start(name, word, json.dumps(json.dumps(word)))
        with contextlib.suppress(HubFull):
            await work.engine.saved()
        for word in ("one", "two"):
            assert json.loads((await work.ended(word)).output or "") == word
        await work.until("bad", lambda _: f"{at}: durablehost itself failed" in caplog.text)
        await work.engine.saved()
        [problem] = work.client.problems(at)

    assert problem.kind == "durablehost-failed"


async def test_an_activity_whose_result_cannot_be_written_fails_and_no_other(
    tmp_path: Path,
) -> None:
    hub = tmp_path / "hub.db"

    async with working(with_a_row_of_each_kind(), hub) as work:
        refuse(hub, "messages", """NEW.event LIKE '%Result": "_"bad%'""")
        refuse(hub, "history", """NEW.events LIKE '%Result": "_"bad%'""")
        for word in ("one", "bad", "two"):
            await work.started("calls", word, json.dumps(json.dumps(word)))
        outputs = [(await work.ended(word)).output for word in ("one", "bad", "two")]

    assert outputs == ['"one"', '"no echo of bad"', '"two"']


async def test_a_request_that_cannot_be_written_is_refused_and_the_next_one_taken(
    tmp_path: Path,
) -> None:
    app, hub = df.DFApp(), tmp_path / "hub.db"

    @app.orchestration_trigger(context_name="context")
    def waits(context: df.DurableOrchestrationContext) -> Steps:
        return (yield context.wait_for_external_event("Go"))

    async with working(app, hub) as work:
        await work.started("waits", "a")
        refuse(hub, "messages", "NEW.event LIKE '%bad%'")
        with pytest.raises(HubFull, match="durablehost itself failed to write"):
            await work.told("a", "Go", "bad")
        await work.told("a", "Go", "good")
        instance = await work.ended("a")

    assert instance.output == '"good"'


def with_entity(hold: Hold, *, there: bool) -> df.DFApp:
    """An app that calls an entity, which the code has lost if it is not `there`."""
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def calls(context: df.DurableOrchestrationContext) -> Steps:
        return (yield context.call_entity(df.EntityId("counter", "x"), "get"))

    if there:

        @app.entity_trigger(context_name="context")
        def counter(context: df.DurableEntityContext) -> None:
            hold.pass_by()
            context.set_result("got")

    return app


async def test_an_instance_that_waits_for_a_removed_entity_has_a_problem(tmp_path: Path) -> None:
    hold = Hold()
    hold.arm()
    async with working(with_entity(hold, there=True), tmp_path / "hub.db") as work:
        await work.started("calls", "a")
        await hold.is_reached()
    hold.go_on.set()

    async with working(with_entity(hold, there=False), tmp_path / "hub.db") as work:
        async with asyncio.timeout(PATIENCE):
            while not work.client.problems("a"):
                await work.engine.saved()
        [problem] = work.client.problems("a")

    async with working(with_entity(hold, there=True), tmp_path / "hub.db") as work:
        ended = await work.ended("a")

    assert problem.kind == "unknown-function"
    assert "'counter'" in problem.text
    assert ended.output == '"got"'
