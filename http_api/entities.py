"""Read the state of an entity, as it was saved last. The entity receives no message."""

from typing import Any

import azure.durable_functions as df


async def state_of(client: df.DurableOrchestrationClient, entity: df.EntityId) -> Any:
    """Return the state of an entity, or None if it does not exist or was deleted."""
    found = await client.read_entity_state(entity)
    # The SDK reads the state of a deleted entity as an empty text.
    return found.entity_state if found.entity_exists and found.entity_state != "" else None
