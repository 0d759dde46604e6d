"""Versioning: change an orchestrator while instances of it are running.

host.json says "defaultVersion": "2.0". Every new instance keeps the version it began with,
so an instance that began as 1.0 finishes as 1.0, and new ones take the new step.
POST /api/deliveries with {"number": "D-1", "amount": 120} starts one.
"""

from datetime import timedelta

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.route(route="deliveries", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_delivery(req: func.HttpRequest, client) -> func.HttpResponse:
    try:
        body = req.get_json()
        is_valid = isinstance(body["number"], str) and isinstance(body["amount"], int)
    except (ValueError, KeyError, TypeError, RecursionError):
        is_valid = False
    if not is_valid:
        return func.HttpResponse('send {"number": "D-1", "amount": 120}', status_code=400)
    instance_id = await client.start_new("delivery", client_input=body)
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger(context_name="context", input_type=dict)
def delivery(context: df.DurableOrchestrationContext):
    goods = context.get_input()
    # An instance that began before host.json had a defaultVersion has no version.
    version = context.version or "1.0"
    yield context.call_activity(receive, goods)
    yield context.create_timer(context.current_utc_datetime + timedelta(hours=1))
    # Without this branch the host would fail every instance that is past this point:
    # its history has no call of `inspect`.
    if version != "1.0":
        yield context.call_activity(inspect, goods)
    yield context.call_activity(pay, goods)
    return {"number": goods["number"], "version": version}


@app.activity_trigger(input_name="goods")
def receive(goods: dict) -> None:
    print(f"{goods['number']} has arrived")


@app.activity_trigger(input_name="goods")
def inspect(goods: dict) -> None:
    """The step that version 2.0 added."""
    print(f"{goods['number']} has been inspected")


@app.activity_trigger(input_name="goods")
def pay(goods: dict) -> None:
    print(f"{goods['number']}: {goods['amount']} is paid")
