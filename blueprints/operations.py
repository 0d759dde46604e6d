"""Operations: what a caller may do with any instance that the app started for them.

GET, DELETE /api/operations/{id}; POST …/cancel, …/suspend, …/resume, …/retry, …/events/{event};
GET /api/operations?status=&prefix=&from=&to=&children=&top=&after= lists them in pages. An unknown
operation returns 404 and an ended one 410. A state that does not allow the request returns 409, and
so does a child of another operation. All are problem+json.
"""

from typing import Final, NamedTuple

import azure.durable_functions as df
import azure.functions as func
from pydantic import BaseModel, Field

from activities import limits
from activities.intervals import IntervalChange
from http_api.answers import RETRY_AFTER_SECONDS, accepted, json_answer, operation_url
from http_api.bodies import Query, read_body, read_json, read_query
from http_api.instances import look_for, sdk_problems
from http_api.listing import Listing, ListingClient
from http_api.operations import going_operation, is_a_child, known_operation, wrong_state
from http_api.problems import Problem, answers_problems


class OpenEvent(NamedTuple):
    """The orchestrators that receive an event, and the form of its data; None allows any JSON."""

    received_by: frozenset[str]
    data: type[BaseModel] | None = None


# What callers may send to /api/operations/{id}/events/{name}.
# The route `cancel` sends CancelRequested. Events whose sender must prove who they are, such as
# decisions, have routes of their own.
OPEN_EVENTS: Final = {
    "GoodsArrived": OpenEvent(frozenset({"delivery_intake", "trusted_delivery"})),
    "IntervalChanged": OpenEvent(frozenset({"ledger_sweep"}), IntervalChange),
}
PAGES_READ: Final = 10  # of the host, at most, for one page of operations

bp = df.Blueprint()


class OperationListing(Listing):
    """Which operations to list, and whether to include children of other operations."""

    children: bool = False


class Reason(Query):
    """Why a caller suspends or resumes an operation; the status shows it."""

    reason: str = Field("", max_length=limits.REASON_CHARS.most)


@bp.route(route="operations", methods=["GET"])
@bp.generic_input_binding(arg_name="starter", type="durableClient")
@answers_problems
async def list_operations(req: func.HttpRequest, starter: str) -> func.HttpResponse:
    """List a page of operations in order of their ids; `after` is the last answer's `next`.

    Skips pages of the host that contain only children, up to ten in one request.
    """
    client, query = ListingClient(starter), read_query(req, OperationListing)
    for _ in range(PAGES_READ):
        page = await client.list_page(query)
        found = [each for each in page.instances if query.children or not each.parent]
        if found or not page.next:
            break
        query = query.model_copy(update={"after": page.next_token})
    operations = [instance.as_operation() for instance in found]
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
    """Delete an operation that has ended. The same work can then be started again.

    A child can be deleted once its parent is deleted.
    """
    instance = await known_operation(req, client)
    if not instance.has_ended:
        raise wrong_state(instance, "only one that has ended can be deleted: cancel it first")
    if instance.parent and await look_for(client, instance.parent):
        raise is_a_child(req, instance, "delete")
    with sdk_problems(instance.id):
        await client.purge_instance_history(instance.id)
    return func.HttpResponse(status_code=204)


@bp.route(route="operations/{id}/suspend", methods=["POST"])
@bp.durable_client_input(client_name="client")
@answers_problems
async def suspend_operation(
    req: func.HttpRequest, client: df.DurableOrchestrationClient
) -> func.HttpResponse:
    """Suspend an operation. Activities that it has started go on; their results wait."""
    reason = read_query(req, Reason).reason
    instance = await going_operation(req, client)
    if instance.parent:
        raise is_a_child(req, instance, "suspend")
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
    """Resume a suspended operation."""
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
    """Run a failed operation again from the start, with the same id and input."""
    instance = await known_operation(req, client)
    if instance.parent:
        raise is_a_child(req, instance, "retry")
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
    """Send an event with the JSON value in the body, to an operation that receives such events.

    Returns 422 if the event has fields and the body does not fit them.
    """
    event = req.route_params["event"]
    if event not in OPEN_EVENTS:
        known = ", ".join(sorted(OPEN_EVENTS))
        raise Problem(404, "unknown_event", f"event {event[:64]!r} is unknown: send one of {known}")
    received_by, kind = OPEN_EVENTS[event]
    data = read_body(req, kind).model_dump(mode="json") if kind else read_json(req)
    instance = await going_operation(req, client)
    if instance.name not in received_by:
        detail = f"operation {instance.id!r} is a {instance.name}, which receives no {event}"
        raise Problem(409, "does_not_receive", detail)
    with sdk_problems(instance.id):
        await client.raise_event(instance.id, event, data)
    return accepted(req, instance.id)
