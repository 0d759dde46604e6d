"""Sub-orchestrations: one child orchestration for each part of the work.

POST /api/closings with {"month": "2026-01", "vendors": ["acme", "bolt"]} starts one.
"""

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)

RETRY = df.RetryOptions(first_retry_interval_in_milliseconds=60_000, max_number_of_attempts=3)


@app.route(route="closings", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_closing(req: func.HttpRequest, client) -> func.HttpResponse:
    try:
        body = req.get_json()
        is_valid = isinstance(body["month"], str) and isinstance(body["vendors"], list)
        is_valid = is_valid and all(isinstance(vendor, str) for vendor in body["vendors"])
    except (ValueError, KeyError, TypeError, RecursionError):
        is_valid = False
    if not is_valid:
        wanted = 'send {"month": "2026-01", "vendors": ["acme"]}'
        return func.HttpResponse(wanted, status_code=400)
    instance_id = await client.start_new("closing", client_input=body)
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger(context_name="context", input_type=dict)
def closing(context: df.DurableOrchestrationContext):
    month, vendors = context.get_input()["month"], context.get_input()["vendors"]
    children = [
        context.call_sub_orchestrator_with_retry(
            "vendor_closing", RETRY, {"vendor": vendor, "month": month}
        )
        for vendor in vendors
    ]
    # task_all([]) would return None.
    totals = (yield context.task_all(children)) if children else []
    return {"month": month, "total": sum(totals)}


@app.orchestration_trigger(context_name="context", input_type=dict)
def vendor_closing(context: df.DurableOrchestrationContext):
    books = context.get_input()
    total = yield context.call_activity(sum_postings, books)
    yield context.call_activity(close_books, books)
    return total


@app.activity_trigger(input_name="books")
def sum_postings(books: dict) -> int:
    return len(books["vendor"]) * 100


@app.activity_trigger(input_name="books")
def close_books(books: dict) -> None:
    print(f"{books['vendor']}: {books['month']} is closed")
