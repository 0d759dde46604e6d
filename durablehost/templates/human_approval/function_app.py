"""Human approval: wait for a person's decision, but not for ever.

POST /api/approvals starts one, POST /api/approvals/{id}/decision decides it.
"""

import json
from datetime import timedelta

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)

WAIT = timedelta(days=3)  # a timer of more than six days cannot be cancelled


@app.route(route="approvals", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_approval(req: func.HttpRequest, client) -> func.HttpResponse:
    try:
        request = {"what": str(req.get_json()["what"])}
    except (ValueError, KeyError, TypeError, RecursionError):
        return func.HttpResponse('send {"what": "a laptop"}', status_code=400)
    instance_id = await client.start_new("approval", client_input=request)
    return client.create_check_status_response(req, instance_id)


@app.route(route="approvals/{id}/decision", methods=["POST"])
@app.durable_client_input(client_name="client")
async def decide(req: func.HttpRequest, client) -> func.HttpResponse:
    try:
        approved = req.get_json()["approved"]
    except (ValueError, KeyError, TypeError, RecursionError):
        approved = None
    if not isinstance(approved, bool):
        return func.HttpResponse('send {"approved": true} or false', status_code=400)
    status = await client.get_status(req.route_params["id"])
    if not status or status.runtime_status != df.OrchestrationRuntimeStatus.Running:
        return func.HttpResponse("no approval is waiting under this id", status_code=404)
    await client.raise_event(req.route_params["id"], "Decision", {"approved": approved})
    return func.HttpResponse(status_code=202)


@app.orchestration_trigger(context_name="context", input_type=dict)
def approval(context: df.DurableOrchestrationContext):
    # Listen before anyone is asked: an early decision must not be lost.
    decision = context.wait_for_external_event("Decision", expected_type=object)
    yield context.call_activity(ask_approver, {**context.get_input(), "id": context.instance_id})
    deadline = context.create_timer(context.current_utc_datetime + WAIT)
    if (yield context.task_any([decision, deadline])) == deadline:
        return "expired"
    deadline.cancel()  # otherwise the instance keeps running until the timer fires
    answer = decision.result  # JSON text from the SDK's client, the value itself by plain HTTP
    answer = json.loads(answer) if isinstance(answer, str) else answer
    return "approved" if answer["approved"] else "rejected"


@app.activity_trigger(input_name="question")
def ask_approver(question: dict) -> None:
    print(f"approve {question['what']}? {question['id']}")  # stand-in for a mail
