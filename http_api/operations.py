"""The instance that a route `/api/operations/{id}` names, and why it may refuse a request."""

import re
from typing import Final

import azure.durable_functions as df
import azure.functions as func

from http_api.answers import operation_url
from http_api.instances import Instance, find, unknown
from http_api.problems import Problem

# The SDK puts an id into an address as it is, so nothing else may reach it.
_INSTANCE_ID: Final = re.compile("[A-Za-z0-9][A-Za-z0-9:._-]*")


async def known_operation(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> Instance:
    """The operation that the route names. Raises Problem 404."""
    instance_id = req.route_params["id"]
    if not _INSTANCE_ID.fullmatch(instance_id):
        raise unknown(instance_id)
    return await find(client, instance_id)


async def going_operation(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> Instance:
    """The operation that the route names, if it has not ended. Raises Problem 404, or 410."""
    instance = await known_operation(req, client)
    if instance.has_ended:
        detail = f"operation {instance.id!r} has ended: it is {instance.state}"
        raise Problem(410, "operation_ended", detail)
    return instance


def is_a_child(req: func.HttpRequest, child: Instance, action: str) -> Problem:
    """The parent has acted on how its child ended, or waits for it: only the parent may run it."""
    assert child.parent is not None
    detail = f"operation {child.id!r} is a child of {child.parent!r}: {action} its parent instead"
    return Problem(409, "is_a_child", detail, parent=operation_url(req, child.parent))


def wrong_state(instance: Instance, advice: str) -> Problem:
    detail = f"operation {instance.id!r} is {instance.state}: {advice}"
    return Problem(409, "wrong_state", detail)
