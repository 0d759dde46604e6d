"""Entities, read without a message to them: what they had saved last."""

from typing import Any

import azure.durable_functions as df


async def state_of(client: df.DurableOrchestrationClient, entity: df.EntityId) -> Any:
    """What an entity holds, None where there is none."""
    found = await client.read_entity_state(entity)
    return found.entity_state if found.entity_exists else None
