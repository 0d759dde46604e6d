"""Async HTTP API: answer 202 at once, report progress, return the result later.

POST /api/reports with {"year": 2026} starts one. GET its Location to see it, DELETE to cancel.
"""

import json

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.route(route="reports", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_report(req: func.HttpRequest, client) -> func.HttpResponse:
    try:
        year = int(str(req.get_json()["year"]))  # int(1.5) would be 1
    except (ValueError, KeyError, TypeError, RecursionError):
        return func.HttpResponse('send {"year": 2026}', status_code=400)
    instance_id = await client.start_new("report", client_input={"year": year})
    # create_check_status_response would also work, but its links carry a key to the whole hub.
    here = req.url.partition("?")[0].rstrip("/")  # without a key in the query
    headers = {"Location": f"{here}/{instance_id}", "Retry-After": "5"}
    return func.HttpResponse(status_code=202, headers=headers)


@app.route(route="reports/{id}", methods=["GET"])
@app.durable_client_input(client_name="client")
async def show_report(req: func.HttpRequest, client) -> func.HttpResponse:
    status = await client.get_status(req.route_params["id"])
    if not status:
        return func.HttpResponse("there is no such report", status_code=404)
    state = status.runtime_status.name
    body = {"state": state, "progress": status.custom_status, "result": status.output}
    is_going = state in ("Pending", "Running", "Suspended")
    return func.HttpResponse(json.dumps(body), status_code=202 if is_going else 200)


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
    for done in range(12):
        context.set_custom_status({"done": done, "of": 12})
        total += yield context.call_activity(sum_month, f"{year}-{done + 1:02}")
    return {"year": year, "total": total}


@app.activity_trigger(input_name="month")
def sum_month(month: str) -> int:
    return int(month[-2:]) * 100
