"""Document pipeline: read, classify, ask a person if unsure, store, notify.

POST /api/documents with {"name": "scan.pdf", "text": "Invoice 17"} starts one,
POST /api/documents/{id}/review with {"kind": "invoice"} answers the question.
"""

import json
from datetime import timedelta

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)

RETRY = df.RetryOptions(first_retry_interval_in_milliseconds=5000, max_number_of_attempts=5)
SURE, WAIT = 0.8, timedelta(days=2)
KINDS = ("invoice", "letter")


@app.route(route="documents", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_document(req: func.HttpRequest, client) -> func.HttpResponse:
    try:
        body = req.get_json()
        document = {"name": str(body["name"]), "text": str(body["text"])}
    except (ValueError, KeyError, TypeError, RecursionError):
        return func.HttpResponse('send {"name": "scan.pdf", "text": "..."}', status_code=400)
    instance_id = await client.start_new("document", client_input=document)
    return client.create_check_status_response(req, instance_id)


@app.route(route="documents/{id}/review", methods=["POST"])
@app.durable_client_input(client_name="client")
async def review(req: func.HttpRequest, client) -> func.HttpResponse:
    try:
        kind = req.get_json()["kind"]
    except (ValueError, KeyError, TypeError, RecursionError):
        kind = None
    if kind not in KINDS:
        return func.HttpResponse(f'send {{"kind": one of {KINDS}}}', status_code=400)
    status = await client.get_status(req.route_params["id"])
    is_running = status and status.runtime_status == df.OrchestrationRuntimeStatus.Running
    if not is_running or status.custom_status != "in review":
        return func.HttpResponse("no document is in review under this id", status_code=404)
    await client.raise_event(req.route_params["id"], "Reviewed", {"kind": kind})
    return func.HttpResponse(status_code=202)


@app.orchestration_trigger(context_name="context", input_type=dict)
def document(context: df.DurableOrchestrationContext):
    scan = context.get_input()
    found = yield context.call_activity_with_retry(classify, RETRY, scan)
    kind = found["kind"]
    if found["confidence"] < SURE:
        kind = yield from reviewed(context, scan)
    if kind is None:
        context.set_custom_status("rejected")
        return {"kind": None, "stored": None}
    context.set_custom_status("storing")
    # The name of what is stored comes from the instance: storing twice writes the same thing.
    entry = {"key": context.instance_id, "kind": kind, "name": scan["name"]}
    stored = yield context.call_activity_with_retry(store, RETRY, entry)
    yield context.call_activity_with_retry(notify, RETRY, entry)
    return {"kind": kind, "stored": stored}


def reviewed(context: df.DurableOrchestrationContext, scan: dict):
    """Ask a person what the document is; None if nobody answers in time."""
    # Listen before anyone is asked: an early answer must not be lost.
    answer = context.wait_for_external_event("Reviewed", expected_type=object)
    context.set_custom_status("in review")
    yield context.call_activity_with_retry(ask_reviewer, RETRY, scan["name"])
    deadline = context.create_timer(context.current_utc_datetime + WAIT)
    if (yield context.task_any([answer, deadline])) == deadline:
        return None
    deadline.cancel()
    review = answer.result  # JSON text from the SDK's client, the value itself by plain HTTP
    return (json.loads(review) if isinstance(review, str) else review)["kind"]


@app.activity_trigger(input_name="scan")
def classify(scan: dict) -> dict:
    """Stand-in for a document reader."""
    known = "invoice" in scan["text"].lower()
    return {"kind": "invoice" if known else "letter", "confidence": 0.9 if known else 0.5}


@app.activity_trigger(input_name="name")
def ask_reviewer(name: str) -> None:
    print(f"please look at {name}")


@app.activity_trigger(input_name="entry")
def store(entry: dict) -> str:
    return f"{entry['kind']}s/{entry['key']}"


@app.activity_trigger(input_name="entry")
def notify(entry: dict) -> None:
    print(f"{entry['name']} is stored as {entry['kind']}")
