"""Resilience: back off, time out, use a second source, and stop calling what is down.

POST /api/rates with {"currency": "USD"} asks for an exchange rate.
"""

from datetime import timedelta

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)

SOURCES = ("bank", "newspaper")
PAUSES = (2, 4, 8)  # seconds between attempts; RetryOptions of the SDK has no backoff
PATIENCE = timedelta(seconds=30)  # for one attempt
FAILURES, COOL_DOWN = 3, timedelta(minutes=5)  # the breaker opens after so many, for so long


@app.route(route="rates", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_rate(req: func.HttpRequest, client) -> func.HttpResponse:
    try:
        currency = req.get_json()["currency"]
    except (ValueError, KeyError, TypeError, RecursionError):
        currency = None
    if not isinstance(currency, str):
        return func.HttpResponse('send {"currency": "USD"}', status_code=400)
    instance_id = await client.start_new("rate", client_input={"currency": currency})
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger(context_name="context", input_type=dict)
def rate(context: df.DurableOrchestrationContext):
    currency = context.get_input()["currency"]
    for source in SOURCES:
        breaker = df.EntityId("breaker", source)
        if not (yield context.call_entity(breaker, "may_call", now(context))):
            continue
        found = yield from ask(context, {"source": source, "currency": currency})
        operation = "failed" if found is None else "succeeded"
        yield context.call_entity(breaker, operation, now(context))
        if found is not None:
            return {"rate": found, "source": source}
    return {"rate": None, "source": None}


def now(context: df.DurableOrchestrationContext) -> float:
    return context.current_utc_datetime.timestamp()


def ask(context: df.DurableOrchestrationContext, question: dict):
    """Ask one source, with growing pauses between the attempts; None if all of them fail."""
    for pause in (*PAUSES, None):
        call = context.call_activity(fetch_rate, question)
        timer = context.create_timer(context.current_utc_datetime + PATIENCE)
        winner = yield context.task_any([call, timer])
        if winner == call:
            timer.cancel()
            # A race does not raise: the result of a failed call is its exception.
            if not isinstance(call.result, Exception):
                return call.result
        if pause is not None:
            yield context.create_timer(context.current_utc_datetime + timedelta(seconds=pause))
    return None


@app.entity_trigger(context_name="context")
def breaker(context: df.DurableEntityContext):
    """A circuit breaker: it blocks calls for a while after several failures in a row."""
    state = context.get_state(lambda: {"failures": 0, "blocked_until": 0})
    match context.operation_name:
        case "may_call":
            context.set_result(context.get_input() >= state["blocked_until"])
        case "succeeded":
            context.set_state({"failures": 0, "blocked_until": 0})
        case "failed":
            state["failures"] += 1
            if state["failures"] >= FAILURES:
                state["blocked_until"] = context.get_input() + COOL_DOWN.total_seconds()
            context.set_state(state)


@app.activity_trigger(input_name="question")
def fetch_rate(question: dict) -> float:
    """Stand-in for a partner: the bank does not know XAU."""
    if question["source"] == "bank" and question["currency"] == "XAU":
        raise ValueError("the bank does not quote gold")
    return 1.08
