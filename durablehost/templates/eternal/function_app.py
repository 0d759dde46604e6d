"""Eternal orchestration: work that repeats for ever, in one instance.

A timer starts the sweep after a deployment; POST /api/sweep/stop ends it.
"""

from datetime import timedelta

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)

SWEEP = "sweep"  # a fixed id: there is one instance, however often it is started
EVERY = timedelta(minutes=15)


@app.timer_trigger(arg_name="timer", schedule="0 */5 * * * *")
@app.durable_client_input(client_name="client")
async def keep_sweeping(timer: func.TimerRequest, client) -> None:
    status = await client.get_status(SWEEP)
    # A sweep that was stopped stays stopped; one that failed begins again.
    if not status or status.runtime_status == df.OrchestrationRuntimeStatus.Failed:
        await client.start_new("ledger_sweep", instance_id=SWEEP)


@app.route(route="sweep/stop", methods=["POST"])
@app.durable_client_input(client_name="client")
async def stop_sweeping(req: func.HttpRequest, client) -> func.HttpResponse:
    status = await client.get_status(SWEEP)
    if not status or status.runtime_status != df.OrchestrationRuntimeStatus.Running:
        return func.HttpResponse("the sweep is not running", status_code=404)
    await client.raise_event(SWEEP, "Stop", True)
    return func.HttpResponse(status_code=202)


@app.orchestration_trigger(context_name="context")
def ledger_sweep(context: df.DurableOrchestrationContext):
    stop = context.wait_for_external_event("Stop", expected_type=object)
    yield context.call_activity(sweep)
    timer = context.create_timer(context.current_utc_datetime + EVERY)
    if (yield context.task_any([stop, timer])) == stop:
        timer.cancel()
        return "stopped"
    context.continue_as_new(None)  # the next generation begins with an empty history


@app.activity_trigger(input_name="nothing")
def sweep(nothing: None) -> None:
    print("the ledger is swept")
