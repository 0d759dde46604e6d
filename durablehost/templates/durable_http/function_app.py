"""Durable HTTP: call a service from an orchestrator and poll until it has an answer.

POST /api/checks with {"number": "DE123"} starts one.
"""

import json
from datetime import timedelta
from urllib.parse import urljoin

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)

LOOKS = 20


@app.route(route="checks", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_check(req: func.HttpRequest, client) -> func.HttpResponse:
    try:
        number = req.get_json()["number"]
    except (ValueError, KeyError, TypeError, RecursionError):
        number = None
    if not isinstance(number, str):
        return func.HttpResponse('send {"number": "DE123"}', status_code=400)
    question = {"number": number, "url": urljoin(req.url, "/api/taxoffice")}
    instance_id = await client.start_new("tax_check", client_input=question)
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger(context_name="context", input_type=dict)
def tax_check(context: df.DurableOrchestrationContext):
    question = context.get_input()
    body, address = {"number": question["number"]}, question["url"]
    answer = yield context.call_http("POST", address, content=body)
    # The host does not poll for Python apps: a 202 is an answer like any other.
    for _ in range(LOOKS):
        if answer["statusCode"] != 202:
            break
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=10))
        # The service may name the address of the answer only once.
        address = answer["headers"].get("Location", address)
        answer = yield context.call_http("GET", address)
    # An error status does not raise either.
    return json.loads(answer["content"]) if answer["statusCode"] == 200 else None


@app.route(route="taxoffice", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def ask_tax_office(req: func.HttpRequest) -> func.HttpResponse:
    """Stand-in for a service that needs time."""
    location = f"{req.url}/{req.get_json()['number']}"
    return func.HttpResponse(status_code=202, headers={"Location": location})


@app.route(route="taxoffice/{number}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def answer_of_tax_office(req: func.HttpRequest) -> func.HttpResponse:
    valid = req.route_params["number"].startswith("DE")
    return func.HttpResponse(json.dumps({"valid": valid}))
