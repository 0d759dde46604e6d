"""One operation of an entity: what it does is a pure function of state and input."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import azure.durable_functions as df

from orchestration.failures import Failure

S = TypeVar("S")


def operate(
    context: df.DurableEntityContext,
    new: Callable[[], S],
    operations: Mapping[str, Callable[[S, Any], tuple[S, Any]]],
) -> None:
    """Do the operation that was asked for; each takes state and input, returns state and result.

    The state is set once, as a whole, at the end: what an operation set before it raised stays set.
    """
    name = str(context.operation_name)
    if name not in operations:
        known = ", ".join(operations)
        raise Failure(
            "unknown_operation", f"operation {name[:64]!r} is unknown: use one of {known}"
        )
    state: S = context.get_state(new, expected_type=dict)
    after, result = operations[name](state, context.get_input())
    context.set_state(after)
    context.set_result(result)
