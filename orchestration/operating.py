"""Entities whose operations are functions: each takes the state and an input, returns the state
after it and a result, or raises a Failure and changes nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

import azure.durable_functions as df

from orchestration.failures import Failure

S = TypeVar("S")

Operations: TypeAlias = Mapping[str, Callable[[S, Any], tuple[S, Any]]]


def operate(
    context: df.DurableEntityContext, new: Callable[[], S], operations: Operations[S]
) -> None:
    """Do the operation that was asked for, on the state or on a new one.

    The state is set once, as a whole, at the end: what an operation set before it raised stays set.
    """
    state: S = context.get_state(new, expected_type=dict)
    after, result = operated(operations, state, str(context.operation_name), _input(context))
    context.set_state(after)
    context.set_result(result)


def operated(
    operations: Operations[S], state: S, operation: str, data: object = None
) -> tuple[S, Any]:
    """The state after an operation, and its result. Raises the Failure of one that cannot be."""
    if operation not in operations:
        message = f"operation {operation[:64]!r} is unknown: use one of {', '.join(operations)}"
        raise Failure("unknown_operation", message)
    return operations[operation](state, data)


def _input(context: df.DurableEntityContext) -> Any:
    try:
        return context.get_input(expected_type=object)  # each operation knows its own
    except TypeError:  # a client's signal that brings nothing, which the SDK reads as JSON
        return None
