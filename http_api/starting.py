"""Starting an instance once, however often it is asked for."""

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

    202 while it runs, 200 once it has ended, 409 where it was started with other work. So `work`
    holds nothing that differs between two requests for the same. What the app's settings say at
    this moment, and may say otherwise later, goes into `settings`; work with it is an object.
    """
    existing = await ensure_started(client, orchestrator, instance_id, work, settings)
    has_ended = existing is not None and existing.has_ended
    return accepted(req, instance_id, status=200 if has_ended else 202)


async def ensure_started(
    client: df.DurableOrchestrationClient,
    orchestrator: str,
    instance_id: str,
    work: Any,
    settings: Mapping[str, Any] | None = None,
) -> Instance | None:
    """As `start_once`; return the instance that was found, None for one that is new."""
    existing = await look_for(client, instance_id)
    if existing is None:
        try:
            given = {**work, SETTINGS: dict(settings)} if settings else work
            await client.start_new(orchestrator, instance_id, given)
        except Exception as error:  # the client raises nothing narrower
            if "already exists" not in str(error):
                raise
            existing = await find(client, instance_id)  # somebody was faster
        else:
            # Of two starts in one moment the host may accept both, and run one.
            started = await look_for(client, instance_id)
            if started is None or started.asked == work:
                return None
            existing = started
    if existing.asked != work:
        detail = (
            f"operation {instance_id!r} was started with another body: "
            "look at it, or send yours under an identity of its own"
        )
        raise Problem(409, "other_work", detail)
    return existing
