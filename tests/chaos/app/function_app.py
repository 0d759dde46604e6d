"""What the chaos sweep kills: one orchestrator of each kind, every output known beforehand.

Activities note each run in the file EFFECTS, so that it can be told which ran, and how often.
"""

import asyncio
import os
import time
from collections.abc import Generator
from datetime import timedelta
from typing import Any, TypedDict

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

Steps = Generator[Any, Any, Any]


class Step(TypedDict):
    effect: str
    value: int


def note(effect: str) -> None:
    with open(os.environ["EFFECTS"], "a") as effects:
        effects.write(f"{effect}\n")


def given(context: df.DurableOrchestrationContext) -> Any:
    return context.get_input()


@app.route(route="start/{name}/{instance}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    instance = req.route_params["instance"]
    await client.start_new(req.route_params["name"], instance, req.get_json())
    return func.HttpResponse(status_code=202)


@app.activity_trigger(input_name="step")
def add_one(step: Step) -> int:
    note(step["effect"])
    time.sleep(0.002)
    return step["value"] + 1


@app.activity_trigger(input_name="step")
async def double(step: Step) -> int:
    note(step["effect"])
    await asyncio.sleep(0.01)
    return step["value"] * 2


@app.orchestration_trigger(context_name="context")
def chain(context: df.DurableOrchestrationContext) -> Steps:
    value = given(context)["number"]
    for step in range(3):
        effect = f"{context.instance_id}/{step}"
        value = yield context.call_activity(add_one, {"effect": effect, "value": value})
    return value


@app.orchestration_trigger(context_name="context")
def fan_out(context: df.DurableOrchestrationContext) -> Steps:
    calls = [
        context.call_activity(double, {"effect": f"{context.instance_id}/{part}", "value": part})
        for part in range(given(context)["number"])
    ]
    return sum((yield context.task_all(calls)))


@app.orchestration_trigger(context_name="context")
def timers(context: df.DurableOrchestrationContext) -> Steps:
    number = given(context)["number"]
    for _ in range(2):
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=1))
    effect = f"{context.instance_id}/0"
    return (yield context.call_activity(add_one, {"effect": effect, "value": number}))


@app.orchestration_trigger(context_name="context")
def collector(context: df.DurableOrchestrationContext) -> Steps:
    """Takes numbers, each in a generation of its own, until it is told which was the last."""
    numbers = given(context)["numbers"]
    number = yield context.wait_for_external_event("Number")
    if number == "last":
        return numbers
    context.continue_as_new({"numbers": [*numbers, number]})
    return None


@app.orchestration_trigger(context_name="context")
def gatherer(context: df.DurableOrchestrationContext) -> Steps:
    """Takes numbers in one generation, until it is told which was the last."""
    numbers = []
    while (number := (yield context.wait_for_external_event("Number"))) != "last":
        numbers.append(number)
    return numbers


@app.orchestration_trigger(context_name="context")
def family(context: df.DurableOrchestrationContext) -> Steps:
    number = given(context)["number"]
    named = f"{context.instance_id}:child"
    first = yield context.call_sub_orchestrator(chain, {"number": number}, named)
    others = [
        context.call_sub_orchestrator(chain, {"number": first}),
        context.call_sub_orchestrator(fan_out, {"number": 5}),
    ]
    return [first, *(yield context.task_all(others))]


@app.orchestration_trigger(context_name="context")
def bookkeeper(context: df.DurableOrchestrationContext) -> Steps:
    """Enters three entries in a ledger: by a signal, by a call, by another signal."""
    ledger = df.EntityId("ledger", given(context)["ledger"])
    context.signal_entity(ledger, "enter", f"{context.instance_id}/0")
    entered = yield context.call_entity(ledger, "enter", f"{context.instance_id}/1")
    context.signal_entity(ledger, "enter", f"{context.instance_id}/2")
    return entered


@app.entity_trigger(context_name="context")
def ledger(context: df.DurableEntityContext) -> None:
    entries = context.get_state(list)
    entry = context.get_input()
    context.set_state([*entries, entry])
    context.set_result(entry)
