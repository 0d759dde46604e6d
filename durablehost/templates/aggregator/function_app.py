"""Aggregator: an entity that collects events from many senders, each event once.

POST /api/events with {"id": "e-1", "vendor": "acme", "amount": 120} adds one,
GET /api/totals/{vendor} shows the sum.
"""

import json
import re

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)

VENDOR = re.compile(r"[A-Za-z0-9_-]{1,60}")  # the SDK puts the key of an entity into a URL
REMEMBERED = 1000  # ids of the latest events, to recognise one that is sent again


@app.route(route="events", methods=["POST"])
@app.durable_client_input(client_name="client")
async def add_event(req: func.HttpRequest, client) -> func.HttpResponse:
    try:
        body = req.get_json()
        event = {"id": body["id"], "amount": body["amount"]}
        is_valid = isinstance(event["id"], str) and isinstance(event["amount"], int)
        is_valid = is_valid and VENDOR.fullmatch(body["vendor"])
    except (ValueError, KeyError, TypeError, RecursionError):
        is_valid = False
    if not is_valid:
        wanted = 'send {"id": "e-1", "vendor": "acme", "amount": 120}'
        return func.HttpResponse(wanted, status_code=400)
    await client.signal_entity(df.EntityId("vendor_total", body["vendor"]), "add", event)
    return func.HttpResponse(status_code=202)


@app.route(route="totals/{vendor}", methods=["GET"])
@app.durable_client_input(client_name="client")
async def show_total(req: func.HttpRequest, client) -> func.HttpResponse:
    vendor, found = req.route_params["vendor"], None
    if VENDOR.fullmatch(vendor):
        found = await client.read_entity_state(df.EntityId("vendor_total", vendor))
    if not found or not found.entity_exists:
        return func.HttpResponse("nothing is known of this vendor", status_code=404)
    return func.HttpResponse(json.dumps({"vendor": vendor, "total": found.entity_state["total"]}))


@app.entity_trigger(context_name="context")
def vendor_total(context: df.DurableEntityContext):
    state = context.get_state(lambda: {"total": 0, "seen": []})
    match context.operation_name:
        case "add":
            event = context.get_input()
            if event["id"] not in state["seen"]:
                state["total"] += event["amount"]
                state["seen"] = [*state["seen"], event["id"]][-REMEMBERED:]
            context.set_state(state)
        case "total":
            context.set_result(state["total"])
