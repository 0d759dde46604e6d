"""Async HTTP API: answer 202 at once, report progress, return the result later.

POST /api/reports with {"year": 2026} starts a report; its Location shows how far it is,
and DELETE of the same address cancels it.
"""

import json

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.route(route="reports", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_report(req: func.HttpRequest, client) -> func.HttpResponse:
    try:
        year = int(req.get_json()["year"])
    except (ValueError, KeyError, TypeError):
        return func.HttpResponse('send {"year": 2026}', status_code=400)
    instance_id = await client.start_new("report", client_input={"year": year})
    # create_check_status_response would also work, but its links carry a key to the whole hub.
    headers = {"Location": f"{req.url}/{instance_id}", "Retry-After": "5"}
    return func.HttpResponse(status_code=202, headers=headers)


@app.route(route="reports/{id}", methods=["GET"])
@app.durable_client_input(client_name="client")
async def show_report(req: func.HttpRequest, client) -> func.HttpResponse:
    status = await client.get_status(req.route_params["id"])
    if not status:
        return func.HttpResponse("there is no such report", status_code=404)
    state = status.runtime_status.name
    running = state in ("Pending", "Running")
    body = {"state": state, "progress": status.custom_status, "result": status.output}
    return func.HttpResponse(json.dumps(body), status_code=202 if running else 200)


@app.route(route="reports/{id}", methods=["DELETE"])
@app.durable_client_input(client_name="client")
async def cancel_report(req: func.HttpRequest, client) -> func.HttpResponse:
    if not await client.get_status(req.route_params["id"]):
        return func.HttpResponse("there is no such report", status_code=404)
    await client.terminate(req.route_params["id"], "cancelled by the caller")
    return func.HttpResponse(status_code=202)


@app.orchestration_trigger(context_name="context", input_type=dict)
def report(context: df.DurableOrchestrationContext):
    year, total = context.get_input()["year"], 0
    for month in range(1, 13):
        context.set_custom_status({"done": month - 1, "of": 12})
        total += yield context.call_activity(sum_month, f"{year}-{month:02}")
    return {"year": year, "total": total}


@app.activity_trigger(input_name="month")
def sum_month(month: str) -> int:
    return int(month[-2:]) * 100
