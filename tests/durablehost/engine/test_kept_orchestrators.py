"""Orchestrators with long histories are kept between episodes, and replayed now and then."""

import asyncio
import threading
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import pytest

from durablehost.engine import kept_orchestrators
from tests.durablehost.engine.working import Steps, working

ROUNDS = 60  # four events each
REPLAYED = 40  # at most so many times, and not once a round
begun: list[str] = []  # the instances, once for each replay
names = {"first": "act"}

app = df.DFApp()


@app.activity_trigger(input_name="value")
def act(value: int) -> int:
    return value


@app.activity_trigger(input_name="value")
def other(value: int) -> int:
    return value


@app.entity_trigger(context_name="context")
def counter(context: df.DurableEntityContext) -> None:
    total = context.get_state(lambda: 0) + context.get_input()
    context.set_state(total)
    context.set_result(total)


@app.orchestration_trigger(context_name="context")
def doubles(context: df.DurableOrchestrationContext) -> Steps:
    return 2 * (yield context.call_activity("act", context.get_input()))


@app.orchestration_trigger(context_name="context")
def in_a_row(context: df.DurableOrchestrationContext) -> Steps:
    begun.append(context.instance_id)
    total = 0
    for number in range(ROUNDS):
        total += yield context.call_activity("act", number)
    return total


@app.orchestration_trigger(context_name="context")
def in_two_parts(context: df.DurableOrchestrationContext) -> Steps:
    yield context.call_activity(names["first"], 0)
    for number in range(ROUNDS // 2):
        yield context.call_activity("act", number)
    context.set_custom_status("half")
    yield context.wait_for_external_event("Go")
    yield context.call_activity("act", ROUNDS)


@app.orchestration_trigger(context_name="context")
def of_every_kind(context: df.DurableOrchestrationContext) -> Steps:
    begun.append(context.instance_id)
    entity, total = df.EntityId("counter", context.instance_id), 0
    for number in range(ROUNDS // 4):
        timer: Any = context.create_timer(context.current_utc_datetime + timedelta(hours=1))
        call = context.call_activity("act", number)
        winner = yield context.task_any([timer, call])
        timer.cancel()
        total += winner.result
        group = [context.call_activity("act", one) for one in range(3)]
        total += sum((yield context.task_all([*group, call])))
        total += yield context.call_sub_orchestrator("doubles", number)
        context.signal_entity(entity, "add", 1)
        total += yield context.call_entity(entity, "add", 1)
    return total


@pytest.fixture(autouse=True)
def nothing_begun() -> None:
    begun.clear()


def expected_of_every_kind() -> int:
    return sum(n + (3 + n) + 2 * n + 2 * (n + 1) for n in range(ROUNDS // 4))


@pytest.mark.parametrize(
    ("name", "output"),
    [("in_a_row", sum(range(ROUNDS))), ("of_every_kind", expected_of_every_kind())],
)
async def test_a_long_history_is_replayed_a_few_times_and_ends_as_it_should(
    name: str, output: int
) -> None:
    async with working(app) as work:
        await work.started(name, "a")
        instance = await work.ended("a")

    assert (instance.status, instance.output) == ("Completed", str(output))
    assert len(begun) < REPLAYED
    assert work.reported == []


async def test_the_finally_block_of_an_orchestrator_never_runs_on_the_thread_of_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kept_orchestrators, "_MOST_BYTES", 0)  # each one is dropped when it is kept
    ended_on: set[threading.Thread] = set()
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def cleans_up(context: df.DurableOrchestrationContext) -> Steps:
        try:
            for _ in range(ROUNDS):
                yield context.wait_for_external_event("Go")
        finally:
            ended_on.add(threading.current_thread())

    async with working(app) as work:
        await work.started("cleans_up", "a")
        for _ in range(ROUNDS):
            await work.told("a", "Go")
        await work.ended("a")
        for thread in threading.enumerate():
            if thread.name == "finally":
                await asyncio.to_thread(thread.join)

    assert threading.current_thread() not in ended_on
    assert {thread.name for thread in ended_on} == {"orchestrators", "finally"}


async def test_code_that_changes_is_found_at_the_latest_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with working(app) as work:
        await work.started("in_two_parts", "a")
        await work.until("a", lambda instance: instance.custom_status == '"half"')
        monkeypatch.setitem(names, "first", "other")
        await work.told("a", "Go")
        instance = await work.ended("a")

    assert "scheduled an activity task named 'other'" in str(instance.output)
