"""Instances as a caller may see them, and the SDK's client without its bare exceptions."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import azure.durable_functions as df
from azure.durable_functions.models.DurableOrchestrationStatus import (
    DurableOrchestrationStatus as Status,
)

from http_api.problems import Problem
from orchestration.failures import failure_of

ENDED: Final = frozenset({"Completed", "Failed", "Terminated", "Canceled"})

# What the client's exceptions say (their class is Exception), and what that is over HTTP.
_SAYS: Final = (
    (re.compile("No instance with ID"), 404, "unknown_operation", "is unknown"),
    (re.compile("is gone"), 410, "operation_ended", "has ended"),
    (re.compile("already exists|status code (409|412)"), 409, "wrong_state", "is in another state"),
)


async def find(client: df.DurableOrchestrationClient, instance_id: str) -> Status:
    """Return the status of an instance. Raises Problem 404."""
    status = await client.get_status(instance_id, show_input=True)
    if not status:
        raise unknown(instance_id)
    return status


def unknown(instance_id: str) -> Problem:
    detail = f"operation {instance_id[:200]!r} is unknown: it was never started, or deleted since"
    return Problem(404, "unknown_operation", detail)


def has_ended(status: Status) -> bool:
    return state_of(status) in ENDED


def state_of(status: Status) -> str:
    """Its runtime status, such as 'Running'."""
    return str(status.runtime_status.name) if status.runtime_status else "Pending"


def input_of(status: Status) -> Any:
    """What the instance was started with: the SDK's client has the host keep it as JSON text."""
    if not isinstance(status.input_, str):
        return status.input_
    try:
        return json.loads(status.input_)
    except ValueError:
        return status.input_


def as_operation(status: Status) -> dict[str, Any]:
    """The shape of Durable's own status; but a failure is a code and a sentence."""
    state = state_of(status)
    return {
        "name": status.name,
        "instanceId": status.instance_id,
        "runtimeStatus": state,
        "input": input_of(status),
        "customStatus": status.custom_status,
        "output": failure_of(status.output).as_data() if state == "Failed" else status.output,
        "createdTime": _time(status.created_time),
        "lastUpdatedTime": _time(status.last_updated_time),
    }


@contextmanager
def sdk_problems(instance_id: str) -> Iterator[None]:
    """Turn what the SDK's client raises into the Problem it means."""
    try:
        yield
    except Problem:
        raise
    except Exception as error:  # the client raises nothing narrower
        for words, status, code, what in _SAYS:
            if words.search(str(error)):
                raise Problem(status, code, f"operation {instance_id!r} {what}") from error
        raise


def _time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
