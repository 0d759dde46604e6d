"""Cancelling: end an operation and everything below it, or say why that cannot be done.

POST /api/operations/{id}/cancel?reason=&force= returns 202 with `cancel`: "requested" if the
operation cleans up and ends itself, "terminated" if the host ends it. Returns 409
`not_cancellable` if a cancel cannot work; `force=true` terminates any operation.
"""

from collections.abc import Generator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final, TypedDict, cast

import azure.durable_functions as df
import azure.functions as func
from pydantic import Field

from activities import clock, limits
from activities.ids import termination_id
from http_api.answers import accepted
from http_api.bodies import Query, read_query
from http_api.instances import GOING, Instance, look_for, sdk_problems
from http_api.listing import ListingClient
from http_api.operations import going_operation
from http_api.problems import Problem, answers_problems
from orchestration.cancel_rules import CANCEL_EVENT, cancel_rule, on_cancel
from orchestration.failures import Failure

LOOKS: Final = 40  # in about 18 minutes
LONGEST_PENDING: Final = timedelta(minutes=1)
QUIET_LOOKS: Final = 3  # in a row: the list of the host can lack the newest instances
LONGEST_PAUSE: Final = timedelta(seconds=30)
RETRY: Final = df.RetryOptions(first_retry_interval_in_milliseconds=5_000, max_number_of_attempts=5)

bp = df.Blueprint()


class Cancel(Query):
    """Why to cancel, and whether to terminate an operation that does not end itself."""

    reason: str = Field("", max_length=limits.REASON_CHARS.most)
    force: bool = False


class Termination(TypedDict):
    """Which instance to terminate, with everything below it, and why.

    `created` is when it was created: a later run under the same id is left alone.
    """

    root: str
    created: str
    reason: str


@bp.route(route="operations/{id}/cancel", methods=["POST"])
@bp.generic_input_binding(arg_name="starter", type="durableClient")
@answers_problems
async def cancel_operation(req: func.HttpRequest, starter: str) -> func.HttpResponse:
    """Ask an operation to end if it listens for that, otherwise terminate it."""
    client, query = ListingClient(starter), read_query(req, Cancel)
    instance = await going_operation(req, client)
    rule = cancel_rule(instance.name)
    if query.force or rule.on_cancel == "terminate":
        await _terminate(client, instance, query.reason)
        return accepted(req, instance.id, cancel="terminated", warning=rule.left or None)
    if rule.on_cancel == "refuse":
        raise _not_cancellable(instance, "does not listen for a cancel: wait until it has ended")
    if _does_not_begin(instance):
        raise _not_cancellable(instance, "has not begun, and may be of a version not deployed here")
    await _ask_to_end(client, instance, query.reason)
    return accepted(req, instance.id, cancel="requested")


def _does_not_begin(instance: Instance) -> bool:
    """Whether the instance has been Pending for longer than a minute.

    An instance that was started a moment ago receives CANCEL_EVENT once it begins. To terminate it
    instead is not safe: it may have begun in the meantime, and have something to clean up.
    """
    if instance.state != "Pending" or instance.created is None:
        return False
    return clock.now() - instance.created > LONGEST_PENDING


def _not_cancellable(instance: Instance, why: str) -> Problem:
    left = cancel_rule(instance.name).left
    force = f"add force=true to terminate it ({left})" if left else "add force=true to terminate it"
    return Problem(409, "not_cancellable", f"operation {instance.id!r} {why}; or {force}")


async def terminate_below(
    client: ListingClient, parent_id: str, reason: str, before: datetime | None = None
) -> int:
    """Terminate all instances below another one; return how many had not ended.

    Instances that were not created `before` that time stay: they belong to a later run.
    """
    going = 0
    async for child in client.every_instance(*GOING, prefix=f"{parent_id}:"):
        if before and child.created and child.created >= before:
            continue
        going += 1
        with suppress(Problem), sdk_problems(child.id):  # a Problem: it has ended meanwhile
            await client.terminate(child.id, reason)
    return going


async def _ask_to_end(
    client: df.DurableOrchestrationClient, instance: Instance, reason: str
) -> None:
    """Send CANCEL_EVENT. Resume a suspended instance, because it could not receive the event."""
    with sdk_problems(instance.id):
        await client.raise_event(instance.id, CANCEL_EVENT, {"reason": reason})
        if instance.state == "Suspended":
            await client.resume(instance.id, reason)


async def _terminate(
    client: df.DurableOrchestrationClient, instance: Instance, reason: str
) -> None:
    """Terminate an instance, its children, and children that it is about to start."""
    if cancel_rule(instance.name).starts_children:
        created = str(instance.created)
        termination = Termination(root=instance.id, created=created, reason=reason)
        try:
            await client.start_new(
                "tree_termination", termination_id(instance.id, created), termination
            )
        except Exception as error:  # the client raises nothing narrower
            if "already exists" not in str(error):
                raise  # otherwise an earlier cancel has started it
    with sdk_problems(instance.id):
        await client.terminate(instance.id, reason)


@bp.orchestration_trigger(context_name="context", input_type=dict)
@on_cancel("terminate", left="instances of the tree that have not ended go on")
def tree_termination(context: df.DurableOrchestrationContext) -> Generator[Any, Any, None]:
    """Terminate a tree of instances until none is left.

    One look is not enough: the host terminates a parent a moment after it has accepted the request,
    and starts the children that the parent has scheduled until then.
    """
    termination = cast(Termination, context.get_input())
    quiet = 0
    for look in range(1, LOOKS + 1):
        going: int = yield context.call_activity_with_retry(terminate_tree, RETRY, termination)
        quiet = 0 if going else quiet + 1
        if quiet == QUIET_LOOKS:
            return
        pause = min(timedelta(seconds=2**look), LONGEST_PAUSE)
        yield context.create_timer(context.current_utc_datetime + pause)
    raise Failure("still_running", f"{going} instances of {termination['root']} have not ended")


@bp.activity_trigger(input_name="termination")
@bp.generic_input_binding(arg_name="starter", type="durableClient")
async def terminate_tree(termination: Termination, starter: str) -> int:
    """Terminate an instance and all below it; return how many had not ended. Safe to run twice."""
    client, root_id, reason = ListingClient(starter), termination["root"], termination["reason"]
    root = await look_for(client, root_id)
    if root is None or root.has_ended:
        return await terminate_below(client, root_id, reason)
    if str(root.created) != termination["created"]:  # it was started again
        return await terminate_below(client, root_id, reason, before=root.created)
    with suppress(Problem), sdk_problems(root_id):  # a Problem: it has ended meanwhile
        await client.terminate(root_id, reason)
    return 1 + await terminate_below(client, root_id, reason)
