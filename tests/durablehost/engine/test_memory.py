"""Large values take memory only while they are worked on."""

import asyncio
import tracemalloc

import azure.durable_functions as df

from durablehost.app.loading import index_app
from durablehost.calling.http_activity import HttpCaller
from durablehost.calling.invoker import Invoker
from durablehost.engine.activities import Activities, ActivityRunner
from durablehost.hub.clock import SystemClock
from durablehost.store import MEMORY, SqliteBackend
from tests.durablehost.engine.working import Steps, working
from tests.durablehost.store.storing import call

_SIZE = 200_000
_INSTANCES = 80


async def test_many_large_results_at_once_take_a_small_part_of_their_size() -> None:
    app = df.DFApp()

    @app.activity_trigger(input_name="number")
    def large(number: int) -> str:
        return "x" * _SIZE

    @app.orchestration_trigger(context_name="context")
    def holds(context: df.DurableOrchestrationContext) -> Steps:
        yield context.task_all([context.call_activity("large", number) for number in range(10)])
        context.set_custom_status("waits")
        yield context.wait_for_external_event("Asked")

    tracemalloc.start()
    try:
        async with working(app) as work:
            ids = [f"a:{number}" for number in range(_INSTANCES)]
            for instance_id in ids:
                work.client.start("holds", instance_id)
            for instance_id in ids:
                await work.until(instance_id, lambda one: one.custom_status is not None)
            peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < _INSTANCES * 10 * _SIZE


async def test_a_result_that_is_not_committed_keeps_the_next_activity_from_starting() -> None:
    app = df.DFApp()

    @app.activity_trigger(input_name="given")
    async def quick(given: str) -> None:
        pass

    backend = SqliteBackend(MEMORY)
    call(backend, "a", ["quick"] * 5)
    invoker, http = Invoker(own_loop=False), HttpCaller()
    runner = ActivityRunner(index_app(app), invoker, SystemClock(), http, "")
    activities = Activities(backend, runner, 2, wake=lambda: None)
    try:
        activities.start()
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
        activities.start()
        not_started = backend.next_activity()
    finally:
        await activities.cancel()
        await invoker.close()
        await http.close()
        backend.close()

    assert not_started is not None
    assert not_started.task_id == 2
