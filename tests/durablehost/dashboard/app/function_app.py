"""An app with one of everything that the dashboard shows."""

from datetime import timedelta

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="orders", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_order(req: func.HttpRequest, client):
    order = req.get_json()
    started = await client.start_new("order", order["id"], order)
    return client.create_check_status_response(req, started)


@app.orchestration_trigger(context_name="context")
def order(context):
    retry = df.RetryOptions(2000, 3)
    price = yield context.call_activity("price", context.get_input())
    paid = yield context.call_activity_with_retry("pay", retry, [context.instance_id, price])
    parts = yield context.task_all([context.call_activity("pack", n) for n in range(3)])
    box = yield context.call_sub_orchestrator("ship", {"parts": parts})
    yield context.call_entity(df.EntityId("ledger", "main"), "add", price)
    approved = yield context.wait_for_external_event("Approved")
    return {"paid": paid, "box": box, "approved": approved}


@app.orchestration_trigger(context_name="context")
def ship(context):
    return (yield context.call_activity("pack", "box"))


@app.orchestration_trigger(context_name="context")
def quote(context):
    price = yield context.call_activity("price", context.get_input())
    accepted = yield context.wait_for_external_event("Accepted")
    return [price, accepted]


@app.orchestration_trigger(context_name="context")
def reminder(context):
    yield context.create_timer(context.current_utc_datetime + timedelta(days=3))


@app.orchestration_trigger(context_name="context")
def long_way(context):
    for number in range(context.get_input()["n"]):
        yield context.call_activity("pack", number)


@app.orchestration_trigger(context_name="context")
def generations(context):
    left = context.get_input()["left"]
    if left:
        yield context.call_sub_orchestrator("generations", {"left": left - 1})


@app.orchestration_trigger(context_name="context")
def an_orchestrator_with_a_name_that_fits_in_no_column_and_on_no_line_of_a_narrow_window(context):
    yield context.wait_for_external_event("<b>" + "Approved" * 20)


@app.orchestration_trigger(context_name="context")
def lost(context):
    yield context.call_activity("prise", 1)


@app.activity_trigger(input_name="order")
def price(order):
    return 42


@app.activity_trigger(input_name="payment")
def pay(payment):
    """The bank is closed at the first call of each order."""
    instance_id, amount = payment
    if instance_id not in asked:
        asked.add(instance_id)
        raise ConnectionError("the bank is closed")
    return f"paid {amount}"


asked: set[str] = set()


@app.activity_trigger(input_name="number")
def pack(number):
    return f"packed {number}"


@app.activity_trigger(input_name="bad_name")
def left_out(bad_name: str):
    return bad_name


@app.entity_trigger(context_name="context")
def ledger(context):
    total = context.get_state(lambda: 0)
    match context.operation_name:
        case "add":
            context.set_state(total + context.get_input())
        case "reset":
            context.set_state(0)


@app.timer_trigger(arg_name="timer", schedule="0 0 3 * * *")
def nightly(timer: func.TimerRequest) -> None:
    pass
