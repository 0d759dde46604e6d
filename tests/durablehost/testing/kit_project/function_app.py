"""A small app of its own: an approval, a fan-out, an entity, a `call_http`, a timer, a queue."""

import json
from datetime import timedelta

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)

WAIT = timedelta(days=3)
RATES = "https://rates.example/EUR"


# Approval


@app.route(route="orders", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_order(req: func.HttpRequest, client: df.DurableOrchestrationClient):
    started = await client.start_new("order_approval", client_input=req.get_json())
    return client.create_check_status_response(req, started)


@app.queue_trigger(arg_name="message", queue_name="orders", connection="Storage")
@app.durable_client_input(client_name="client")
async def take_order(message: func.QueueMessage, client: df.DurableOrchestrationClient):
    order = message.get_json()
    await client.start_new("order_approval", instance_id=order["id"], client_input=order)


@app.orchestration_trigger(context_name="context", input_type=dict)
def order_approval(context: df.DurableOrchestrationContext):
    order = context.get_input()
    decided = context.wait_for_external_event("Decided", expected_type=str)
    yield context.call_activity("ask_approver", order)
    deadline = context.create_timer(context.current_utc_datetime + WAIT)
    winner = yield context.task_any([decided, deadline])
    if winner == deadline:
        return "expired"
    deadline.cancel()
    return "approved" if json.loads(decided.result) else "rejected"


@app.activity_trigger(input_name="order")
def ask_approver(order):
    raise ConnectionError("a test that gets here would send mail")


# Fan-out over vendors, one child each, counted by an entity


@app.orchestration_trigger(context_name="context", input_type=list)
def month_end(context: df.DurableOrchestrationContext):
    vendors = [context.call_sub_orchestrator("vendor", name) for name in context.get_input()]
    totals = yield context.task_all(vendors)
    return (yield context.call_entity(df.EntityId("total", "all"), "add", sum(totals)))


@app.orchestration_trigger(context_name="context", input_type=str)
def vendor(context: df.DurableOrchestrationContext):
    name = context.get_input()
    files = [context.call_activity("read_file", f"{name}-{number}") for number in (1, 2)]
    amounts = yield context.task_all(files)
    return sum(amounts)


@app.activity_trigger(input_name="name")
def read_file(name: str) -> int:
    return len(name)


@app.entity_trigger(context_name="context")
def total(context: df.DurableEntityContext):
    state = context.get_state(lambda: 0)
    if context.operation_name == "add":
        state += context.get_input()
    context.set_state(state)
    context.set_result(state)


# HTTP


@app.orchestration_trigger(context_name="context")
def rate(context: df.DurableOrchestrationContext):
    for _ in range(3):
        answer = yield context.call_http("GET", RATES)
        if answer["statusCode"] == 200:
            return json.loads(answer["content"])["rate"]
        yield context.create_timer(context.current_utc_datetime + timedelta(minutes=1))
    raise RuntimeError("the rates cannot be had")


@app.orchestration_trigger(context_name="context", input_type=str)
def fetch(context: df.DurableOrchestrationContext):
    answer = yield context.call_http("GET", context.get_input())
    return answer["content"]


@app.route(route="hello")
def hello(req: func.HttpRequest) -> str:
    return "hello"


# A timer, and a mistake


@app.timer_trigger(arg_name="timer", schedule="0 0 6 * * *")
@app.durable_client_input(client_name="client")
async def every_morning(timer: func.TimerRequest, client: df.DurableOrchestrationClient):
    await client.start_new("month_end", client_input=["acme"])


@app.orchestration_trigger(context_name="context")
def quickest(context: df.DurableOrchestrationContext):
    """Returns the first file's amount, although another file may have been the first."""
    files = [context.call_activity("read_file", name) for name in ("a", "bb")]
    yield context.task_any(files)
    return files[0].result
