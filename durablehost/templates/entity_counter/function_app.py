"""Durable entity: a small state with operations that run one at a time.

POST /api/counters/{key} with {"add": 2} changes it, GET reads it, DELETE removes it. A key
has letters only (`alpha`), because the SDK puts it into a URL as it is.
"""

import json

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.route(route="counters/{key:alpha}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def add(req: func.HttpRequest, client) -> func.HttpResponse:
    try:
        amount = req.get_json()["add"]
    except (ValueError, KeyError, TypeError, RecursionError):
        amount = None
    if not isinstance(amount, int):
        return func.HttpResponse('send {"add": 1}', status_code=400)
    # A signal is delivered later and has no answer.
    await client.signal_entity(df.EntityId("counter", req.route_params["key"]), "add", amount)
    return func.HttpResponse(status_code=202)


@app.route(route="counters/{key:alpha}", methods=["GET"])
@app.durable_client_input(client_name="client")
async def show(req: func.HttpRequest, client) -> func.HttpResponse:
    found = await client.read_entity_state(df.EntityId("counter", req.route_params["key"]))
    # The SDK reads the state of a deleted entity as an empty text.
    if not found.entity_exists or found.entity_state == "":
        return func.HttpResponse("there is no such counter", status_code=404)
    return func.HttpResponse(json.dumps({"value": found.entity_state}))


@app.route(route="counters/{key:alpha}", methods=["DELETE"])
@app.durable_client_input(client_name="client")
async def remove(req: func.HttpRequest, client) -> func.HttpResponse:
    await client.signal_entity(df.EntityId("counter", req.route_params["key"]), "remove")
    return func.HttpResponse(status_code=202)


@app.entity_trigger(context_name="context")
def counter(context: df.DurableEntityContext):
    value = context.get_state(lambda: 0)
    match context.operation_name:
        case "add":
            # Read the input only where there is one: get_input() raises without.
            value += context.get_input()
            context.set_state(value)
            context.set_result(value)
        case "get":
            context.set_result(value)
        case "remove":
            context.destruct_on_exit()
