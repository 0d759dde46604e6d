"""The shapes that are measured."""

from collections.abc import Generator
from datetime import timedelta
from typing import Any, cast

import azure.durable_functions as df

app = df.DFApp()
Steps = Generator[Any, Any, Any]


@app.activity_trigger(input_name="number")
def square(number: int) -> int:
    return number * number


def asked(context: df.DurableOrchestrationContext) -> dict[str, Any]:
    return cast(dict[str, Any], context.get_input())


@app.orchestration_trigger(context_name="context", input_type=dict)
def chain(context: df.DurableOrchestrationContext) -> Steps:
    total = 0
    for number in range(asked(context)["n"]):
        total += yield context.call_activity(square, number)
    return total


@app.activity_trigger(input_name="text")
def repeat(text: str) -> str:
    return text


@app.orchestration_trigger(context_name="context", input_type=dict)
def pass_on(context: df.DurableOrchestrationContext) -> Steps:
    """Passes a text of some kilobytes through ten activities."""
    text = asked(context)["kilobytes"] * 1000 * "x"
    for _ in range(10):
        text = yield context.call_activity(repeat, text)
    return len(text)


@app.orchestration_trigger(context_name="context", input_type=dict)
def count_up(context: df.DurableOrchestrationContext) -> Steps:
    """Calls an entity again and again."""
    entity = df.EntityId("counter", context.instance_id)
    count = 0
    for _ in range(asked(context)["n"]):
        count = yield context.call_entity(entity, "add", 1)
    return count


@app.orchestration_trigger(context_name="context", input_type=dict)
def fan_out(context: df.DurableOrchestrationContext) -> Steps:
    tasks = [context.call_activity(square, number) for number in range(asked(context)["n"])]
    return sum((yield context.task_all(tasks)))


@app.orchestration_trigger(context_name="context", input_type=dict)
def sharded_fan_out(context: df.DurableOrchestrationContext) -> Steps:
    shards = asked(context)["n"] // 100
    tasks = [context.call_sub_orchestrator("fan_out", {"n": 100}) for _ in range(shards)]
    return sum((yield context.task_all(tasks)))


@app.activity_trigger(input_name="number")
def megabyte(number: int) -> str:
    return "m" * 1_000_000


@app.orchestration_trigger(context_name="context", input_type=dict)
def holds(context: df.DurableOrchestrationContext) -> Steps:
    """Waits with ten results of a megabyte each in its history."""
    yield context.task_all([context.call_activity(megabyte, number) for number in range(10)])
    context.set_custom_status("waits")
    return (yield context.wait_for_external_event("Asked"))


@app.orchestration_trigger(context_name="context")
def reply(context: df.DurableOrchestrationContext) -> Steps:
    return (yield context.wait_for_external_event("Asked", expected_type=str))


@app.orchestration_trigger(context_name="context")
def approval(context: df.DurableOrchestrationContext) -> Steps:
    """Reminds every three days, for ninety."""
    decision = context.wait_for_external_event("Decided")
    for reminder in range(30):
        pause: Any = context.create_timer(context.current_utc_datetime + timedelta(days=3))
        if (yield context.task_any([decision, pause])) is decision:
            pause.cancel()
            return "decided"
        yield context.call_activity(square, reminder)
    return "expired"


@app.orchestration_trigger(context_name="context", input_type=dict)
def signal_many(context: df.DurableOrchestrationContext) -> Steps:
    wanted = asked(context)
    counters = [df.EntityId("counter", f"{wanted['key']}-{k}") for k in range(wanted["entities"])]
    for number in range(wanted["n"]):
        context.signal_entity(counters[number % len(counters)], "add", 1)
    counts = yield context.task_all([context.call_entity(one, "get") for one in counters])
    return sum(counts)


@app.entity_trigger(context_name="context")
def counter(context: df.DurableEntityContext) -> None:
    count = context.get_state(lambda: 0)
    if context.operation_name == "add":
        count += context.get_input()
    context.set_state(count)
    context.set_result(count)
