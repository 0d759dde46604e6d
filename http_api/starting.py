"""Start an instance once, however often a caller repeats the request."""

from collections.abc import Mapping
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from http_api.answers import accepted
from http_api.instances import SETTINGS, Instance, find, look_for
from http_api.problems import Problem


async def start_once(
    req: func.HttpRequest,
    client: df.DurableOrchestrationClient,
    orchestrator: str,
    instance_id: str,
    work: Any,
    settings: Mapping[str, Any] | None = None,
) -> func.HttpResponse:
    """Start an instance, or find the one that was started with the same work.

    Returns 202 while the instance runs and 200 once it has ended, as `started` does. Raises
    Problem 409 if the instance was started with other work, so `work` must be the same in every
    request for it. Values of the app's settings, which may change between two requests, go into
    `settings`; `work` is an object then.
    """
    existing = await ensure_started(client, orchestrator, instance_id, work, settings)
    return started(req, instance_id, existing)


def started(
    req: func.HttpRequest, instance_id: str, existing: Instance | None
) -> func.HttpResponse:
    """The answer of a starter: links and `runtimeStatus`, and `failure` if the instance failed.

    `existing` is the instance that was found, None if this request started it.
    """
    if existing is None:
        return accepted(req, instance_id, runtimeStatus="Pending")
    status = 200 if existing.has_ended else 202
    if existing.failure is None:
        return accepted(req, instance_id, status, runtimeStatus=existing.state)
    failure = existing.failure.as_data()
    return accepted(req, instance_id, status, runtimeStatus=existing.state, failure=failure)


async def ensure_started(
    client: df.DurableOrchestrationClient,
    orchestrator: str,
    instance_id: str,
    work: Any,
    settings: Mapping[str, Any] | None = None,
) -> Instance | None:
    """Do the same as `start_once`. Return the instance that was found, or None if it is new."""
    existing = await look_for(client, instance_id)
    if existing is None:
        try:
            given = {**work, SETTINGS: dict(settings)} if settings else work
            await client.start_new(orchestrator, instance_id, given)
        except Exception as error:  # the client raises nothing narrower
            if "already exists" not in str(error):
                raise
            existing = await find(client, instance_id)  # another request was faster
        else:
            # The host can accept two simultaneous starts of one id, and run one of them.
            started = await look_for(client, instance_id)
            if started is None or started.asked == work:
                return None
            existing = started
    if existing.asked != work:
        advice = (
            "delete it first" if existing.has_ended else "wait until it has ended, or cancel it"
        )
        detail = (
            f"operation {instance_id!r} was started with another body and is {existing.state}: "
            f"{advice}, or send yours under another name"
        )
        raise Problem(409, "other_work", detail)
    return existing
