"""Saga: several steps that take effect together, or are undone in reverse order.

POST /api/payments with {"payer": "us", "payee": "acme", "amount": 120} starts one.
"""

import logging

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
log = logging.getLogger(__name__)

RETRY = df.RetryOptions(first_retry_interval_in_milliseconds=5000, max_number_of_attempts=3)
# An undo is retried for much longer: giving up on it would lose money.
UNDO = df.RetryOptions(first_retry_interval_in_milliseconds=60_000, max_number_of_attempts=1000)


@app.route(route="payments", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_payment(req: func.HttpRequest, client) -> func.HttpResponse:
    try:
        body = req.get_json()
        is_valid = isinstance(body["payer"], str) and isinstance(body["payee"], str)
        is_valid = is_valid and isinstance(body["amount"], int) and body["amount"] > 0
    except (ValueError, KeyError, TypeError, RecursionError):
        is_valid = False
    if not is_valid:
        wanted = 'send {"payer": "us", "payee": "acme", "amount": 120}'
        return func.HttpResponse(wanted, status_code=400)
    instance_id = await client.start_new("payment", client_input=body)
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger(context_name="context", input_type=dict)
def payment(context: df.DurableOrchestrationContext):
    # The key makes each step harmless to repeat: an activity can run twice.
    order = {**context.get_input(), "key": context.instance_id}
    undo = []
    try:
        # Register the undo before the step: a step that seems to fail may have taken effect.
        undo.append(undo_debit)
        yield context.call_activity_with_retry(debit, RETRY, order)
        undo.append(undo_credit)
        yield context.call_activity_with_retry(credit, RETRY, order)
    except Exception as error:  # the SDK raises a plain Exception for a failed activity
        if not context.is_replaying:
            log.warning("payment %s is undone: %s", context.instance_id, error)
        for step in reversed(undo):
            yield context.call_activity_with_retry(step, UNDO, order)
        return {"state": "undone"}
    yield context.call_activity_with_retry(notify, RETRY, order)
    return {"state": "paid"}


@app.activity_trigger(input_name="order")
def debit(order: dict) -> None:
    print(f"{order['key']}: take {order['amount']} from {order['payer']}")


@app.activity_trigger(input_name="order")
def undo_debit(order: dict) -> None:
    """Give the money back if it was taken, and see to it that it is not taken later."""
    print(f"{order['key']}: give {order['amount']} back to {order['payer']}")


@app.activity_trigger(input_name="order")
def credit(order: dict) -> None:
    if order["payee"] == "nobody":
        raise ValueError("there is no account of that name")
    print(f"{order['key']}: give {order['amount']} to {order['payee']}")


@app.activity_trigger(input_name="order")
def undo_credit(order: dict) -> None:
    print(f"{order['key']}: take {order['amount']} back from {order['payee']}")


@app.activity_trigger(input_name="order")
def notify(order: dict) -> None:
    print(f"{order['key']}: tell {order['payee']}")
