"""Children of an instance that can be found: by its id, a colon and what they are for."""

from collections.abc import Mapping
from typing import Any

import azure.durable_functions as df

from orchestration.ids import child_id


def children_for(
    context: df.DurableOrchestrationContext, orchestrator: Any, orders: Mapping[str, object]
) -> dict[str, Any]:
    """The tasks of one child for each order, by the ids of the children; they return objects.

    The name of an order becomes part of the id. Each run has children of its own, because the
    children of a run that was terminated may still be running.
    """
    run = context.new_uuid()[:8]  # an id has no room for all of it
    ids = {name: child_id(context.instance_id, f"{name}-{run}") for name in orders}
    return {
        ids[name]: context.call_sub_orchestrator(
            orchestrator, order, instance_id=ids[name], expected_type=dict
        )
        for name, order in orders.items()
    }
