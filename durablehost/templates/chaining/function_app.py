"""Function chaining: each step receives the output of the step before it.

POST /api/invoices with {"number": "INV-1", "amount": 120} starts one.
"""

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)

RETRY = df.RetryOptions(first_retry_interval_in_milliseconds=5000, max_number_of_attempts=3)


@app.route(route="invoices", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_intake(req: func.HttpRequest, client) -> func.HttpResponse:
    try:
        body = req.get_json()
        is_valid = isinstance(body["number"], str) and isinstance(body["amount"], int)
    except (ValueError, KeyError, TypeError, RecursionError):
        is_valid = False
    if not is_valid:
        return func.HttpResponse('send {"number": "INV-1", "amount": 120}', status_code=400)
    instance_id = await client.start_new("intake", client_input=body)
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger(context_name="context", input_type=dict)
def intake(context: df.DurableOrchestrationContext):
    invoice = context.get_input()
    valid = yield context.call_activity(validate, invoice)
    matched = yield context.call_activity(match_order, valid)
    posted = yield context.call_activity_with_retry(post, RETRY, matched)
    return posted


@app.activity_trigger(input_name="invoice")
def validate(invoice: dict) -> dict:
    if invoice["amount"] <= 0:
        raise ValueError(f"invoice {invoice['number']}: the amount must be positive")
    return invoice


@app.activity_trigger(input_name="invoice")
def match_order(invoice: dict) -> dict:
    return {**invoice, "order": f"PO-{invoice['number']}"}


@app.activity_trigger(input_name="invoice")
def post(invoice: dict) -> dict:
    """Post the invoice. The host may run an activity twice: a real ledger needs a key."""
    return {**invoice, "posted": True}
