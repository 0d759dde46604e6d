"""Operations: what a caller may do with any instance that the app started for them.

GET, DELETE /api/operations/{id}; POST …/cancel, …/suspend, …/resume, …/retry, …/events/{event};
GET /api/operations?status=&prefix=&from=&to=&top=&after= lists them in pages. Unknown is 404,
ended 410, a state that does not allow it 409, each as problem+json.
"""

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from http_api.answers import RETRY_AFTER_SECONDS, accepted, json_answer, operation_url
from http_api.bodies import Query, read_json, read_query
from http_api.instances import Instance, find, sdk_problems, unknown
from http_api.listing import Listing, ListingClient
from http_api.problems import Problem, answers_problems
from orchestration import limits
from orchestration.events import OPEN_EVENTS
from orchestration.ids import is_instance_id

bp = df.Blueprint()


class Reason(Query):
    """Why a caller suspends, resumes or cancels; it shows in the status."""

    reason: str = Field("", max_length=limits.REASON_CHARS.most)


@bp.route(route="operations", methods=["GET"])
@bp.generic_input_binding(arg_name="starter", type="durableClient")
@answers_problems
async def list_operations(req: func.HttpRequest, starter: str) -> func.HttpResponse:
    """List a page of operations in order of their ids; `after` is the last answer's `next`."""
    client = ListingClient(starter)
    page = await client.list_page(read_query(req, Listing))
    operations = [instance.as_operation() for instance in page.instances]
    return json_answer({"operations": operations, "next": page.next})


@bp.route(route="operations/{id}", methods=["GET"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def show_operation(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Show an operation: 202 while it runs, 200 once it has ended, however it ended."""
    instance = await known_operation(req, client)
    if instance.has_ended:
        return json_answer(instance.as_operation())
    location = operation_url(req, instance.id)
    headers = {"Location": location, "Retry-After": str(RETRY_AFTER_SECONDS)}
    return json_answer(instance.as_operation(), 202, headers)


@bp.route(route="operations/{id}", methods=["DELETE"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def delete_operation(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Forget an operation that has ended; starting the same work then starts it anew."""
    instance = await known_operation(req, client)
    if not instance.has_ended:
        raise wrong_state(instance, "only one that has ended can be deleted: cancel it first")
    with sdk_problems(instance.id):
        await client.purge_instance_history(instance.id)
    return func.HttpResponse(status_code=204)


@bp.route(route="operations/{id}/suspend", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def suspend_operation(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Stop an operation where it stands; what it started goes on, its results wait."""
    reason = read_query(req, Reason).reason
    instance = await going_operation(req, client)
    if instance.state == "Suspended":
        raise wrong_state(instance, "it can be resumed or cancelled")
    with sdk_problems(instance.id):
        await client.suspend(instance.id, reason)
    return accepted(req, instance.id)


@bp.route(route="operations/{id}/resume", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def resume_operation(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Let a suspended operation go on."""
    reason = read_query(req, Reason).reason
    instance = await going_operation(req, client)
    if instance.state != "Suspended":
        raise wrong_state(instance, "only a suspended one can be resumed")
    with sdk_problems(instance.id):
        await client.resume(instance.id, reason)
    return accepted(req, instance.id)


@bp.route(route="operations/{id}/retry", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def retry_operation(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Run a failed operation again from the start, under its id and with its input."""
    instance = await known_operation(req, client)
    if instance.state != "Failed":
        raise wrong_state(instance, "only a failed one can be retried")
    with sdk_problems(instance.id):
        await client.restart(instance.id, restart_with_new_instance_id=False)
    return accepted(req, instance.id)


@bp.route(route="operations/{id}/events/{event}", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def send_event_to_operation(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Send an event with the JSON value in the body."""
    event = req.route_params["event"]
    if event not in OPEN_EVENTS:
        known = ", ".join(sorted(OPEN_EVENTS))
        raise Problem(404, "unknown_event", f"event {event[:64]!r} is unknown: send one of {known}")
    data = read_json(req)
    instance = await going_operation(req, client)
    with sdk_problems(instance.id):
        await client.raise_event(instance.id, event, data)
    return accepted(req, instance.id)


async def known_operation(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> Instance:
    """The operation that the route names; the SDK puts ids into addresses as they are."""
    instance_id = req.route_params["id"]
    if not is_instance_id(instance_id):
        raise unknown(instance_id)
    return await find(client, instance_id)


async def going_operation(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> Instance:
    """The operation that the route names, if it has not ended. Raises Problem 404, or 410."""
    instance = await known_operation(req, client)
    if instance.has_ended:
        detail = f"operation {instance.id!r} has ended: it is {instance.state}"
        raise Problem(410, "operation_ended", detail)
    return instance


def wrong_state(instance: Instance, advice: str) -> Problem:
    detail = f"operation {instance.id!r} is {instance.state}: {advice}"
    return Problem(409, "wrong_state", detail)
