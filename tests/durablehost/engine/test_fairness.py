"""Whoever has much to do does not keep the others from their turn."""

import json
from threading import Event

import azure.durable_functions as df

from tests.durablehost.engine.working import Steps, Working, working


class Busy:
    """Orchestrations that begin anew for ever, and an entity and an activity beside them."""

    def __init__(self) -> None:
        self.enough = Event()
        self.app = df.DFApp()

        @self.app.orchestration_trigger(context_name="context")
        def spinning(context: df.DurableOrchestrationContext) -> None:
            if not self.enough.is_set():
                context.continue_as_new(None)

        @self.app.orchestration_trigger(context_name="context")
        def calling(context: df.DurableOrchestrationContext) -> Steps:
            fetched = yield context.call_activity(fetch, "fetched")
            counted = yield context.call_entity(df.EntityId("counter", "x"), "add")
            return [fetched, counted]

        @self.app.activity_trigger(input_name="given")
        async def fetch(given: str) -> str:
            return given

        @self.app.entity_trigger(context_name="context")
        def counter(context: df.DurableEntityContext) -> None:
            context.set_state(context.get_state(lambda: 0) + 1)
            context.set_result("counted")

    async def spin(self, work: Working) -> None:
        for number in range(200):
            work.client.start("spinning", f"spinning:{number}")
        await work.engine.saved()


async def test_entities_and_activities_get_their_turn_beside_busy_orchestrations() -> None:
    busy = Busy()
    async with working(busy.app) as work:
        await busy.spin(work)
        await work.started("calling", "a")
        instance = await work.ended("a")
        busy.enough.set()

    assert json.loads(instance.output or "") == ["fetched", "counted"]
