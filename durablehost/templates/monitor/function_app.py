"""Monitor: look at something again and again until it is done or a deadline has passed.

POST /api/watches with {"transfer": "T-1"} starts one.
"""

from datetime import datetime, timedelta

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=10), timedelta(minutes=10)
GIVE_UP = timedelta(days=2)


@app.route(route="watches", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_watch(req: func.HttpRequest, client) -> func.HttpResponse:
    try:
        transfer = req.get_json()["transfer"]
    except (ValueError, KeyError, TypeError, RecursionError):
        transfer = None
    if not isinstance(transfer, str):
        return func.HttpResponse('send {"transfer": "T-1"}', status_code=400)
    instance_id = await client.start_new("watch", client_input={"transfer": transfer})
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger(context_name="context", input_type=dict)
def watch(context: df.DurableOrchestrationContext):
    state, now = context.get_input(), context.current_utc_datetime
    # Kept in the input, because continue_as_new starts again from the top.
    give_up = state.get("give_up") or (now + GIVE_UP).isoformat()
    pause = state.get("pause") or FIRST_PAUSE.total_seconds()

    if (yield context.call_activity(look_at, state["transfer"])) == "settled":
        return "settled"
    if now >= datetime.fromisoformat(give_up):
        return "gave up"
    yield context.create_timer(context.current_utc_datetime + timedelta(seconds=pause))
    longer = min(pause * 2, LONGEST_PAUSE.total_seconds())
    # A new generation begins with an empty history, however often we look.
    context.continue_as_new({"transfer": state["transfer"], "give_up": give_up, "pause": longer})


@app.activity_trigger(input_name="transfer")
def look_at(transfer: str) -> str:
    """Stand-in for a bank: transfers whose name ends with 1 have settled."""
    return "settled" if transfer.endswith("1") else "pending"
