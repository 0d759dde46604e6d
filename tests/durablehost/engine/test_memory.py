"""Large values take memory only while they are worked on."""

import tracemalloc

import azure.durable_functions as df

from tests.durablehost.engine.working import Steps, working

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
