"""Children of an instance that can be found: by its id, a colon and what they are for."""

from collections.abc import Mapping
from typing import Any

import azure.durable_functions as df

from orchestration.ids import child_id


def children_for(
    context: df.DurableOrchestrationContext, orchestrator: Any, orders: Mapping[str, object]
) -> list[Any]:
    """The tasks of one child an order, whose name becomes part of its id; they return objects.

    Each run has children of its own, as those of one that was ended from outside may go on.
    """
    run = context.new_uuid()
    return [
        context.call_sub_orchestrator(
            orchestrator,
            order,
            instance_id=child_id(context.instance_id, f"{name}-{run}"),
            expected_type=dict,
        )
        for name, order in orders.items()
    ]
