"""Fan-out and fan-in: process many files in parallel and combine the results.

POST /api/batches with {"files": ["a.csv", "b.csv"]} starts one.
"""

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)

AT_ONCE = 20  # a wave of this size runs in parallel


@app.route(route="batches", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_batch(req: func.HttpRequest, client) -> func.HttpResponse:
    try:
        files = req.get_json()["files"]
    except (ValueError, KeyError, TypeError, RecursionError):
        files = None
    if not isinstance(files, list) or not all(isinstance(name, str) for name in files):
        return func.HttpResponse('send {"files": ["a.csv", "b.csv"]}', status_code=400)
    instance_id = await client.start_new("batch", client_input={"files": files})
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger(context_name="context", input_type=dict)
def batch(context: df.DurableOrchestrationContext):
    files = context.get_input()["files"]
    results = []
    # An empty list schedules nothing: task_all([]) would return None.
    for first in range(0, len(files), AT_ONCE):
        wave = [context.call_activity(read_file, name) for name in files[first : first + AT_ONCE]]
        results += yield context.task_all(wave)
    return {
        "invoices": sum(result["invoices"] for result in results),
        "failed": [result["file"] for result in results if result["error"]],
    }


@app.activity_trigger(input_name="name")
def read_file(name: str) -> dict:
    """Read one file. An expected failure is a result, so that the other files still count."""
    try:
        return {"file": name, "invoices": count_invoices(name), "error": None}
    except ValueError as error:
        return {"file": name, "invoices": 0, "error": str(error)}


def count_invoices(name: str) -> int:
    """Stand-in for the real work."""
    if not name.endswith(".csv"):
        raise ValueError(f"{name} is not a CSV file")
    return len(name)
