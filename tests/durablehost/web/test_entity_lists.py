"""Lists of entities: only those that have a state."""

import azure.durable_functions as df

from durablehost.testing import ManualHub

LIST = "/runtime/webhooks/durabletask/entities/total?fetchState=true"


def app_with_an_entity() -> df.DFApp:
    app = df.DFApp()

    @app.entity_trigger(context_name="context")
    def total(context):
        if context.operation_name == "fail":
            raise ValueError("no such operation")
        if context.operation_name == "delete":
            context.destruct_on_exit()
        else:
            context.set_state(1)

    return app


async def test_only_entities_that_have_a_state_are_listed() -> None:
    async with ManualHub(app_with_an_entity()) as hub:
        await hub.signal("total", "kept", "set")
        await hub.signal("total", "failed", "fail")
        await hub.signal("total", "deleted", "set")
        await hub.signal("total", "deleted", "delete")

        listed = (await hub.request("GET", LIST)).json()

    assert [(entity["entityId"]["key"], entity["state"]) for entity in listed] == [("kept", 1)]
