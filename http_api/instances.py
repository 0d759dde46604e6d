"""Instances as callers see them, and meaningful errors of the SDK's client."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, Self

import azure.durable_functions as df

from http_api.problems import Problem, hub_unavailable
from orchestration.failures import Failure, failure_of

# An orchestrator that continues as new keeps under this name what it adds to its input.
SO_FAR: Final = "so_far"
# A starter adds under this name the values of settings at the time of the start.
SETTINGS: Final = "settings"

State = Literal["Pending", "Running", "Suspended", "Completed", "Failed", "Terminated", "Canceled"]
GOING: Final[tuple[State, ...]] = ("Pending", "Running", "Suspended")
ENDED: Final[frozenset[State]] = frozenset({"Completed", "Failed", "Terminated", "Canceled"})

# Texts of the client's exceptions (their class is Exception), and the HTTP answer for each.
_SAYS: Final = (
    (re.compile("No instance with ID"), 404, "unknown_operation", "is unknown"),
    (re.compile("is gone"), 410, "operation_ended", "has ended"),
    (re.compile("already exists|status code (409|412)"), 409, "wrong_state", "is in another state"),
)


@dataclass(frozen=True)
class Instance:
    """What the platform knows about an instance, except its history."""

    id: str
    name: str
    parent: str | None  # the id of the instance that started it as a child, from extension 3.15 on
    state: str
    input: Any
    custom_status: Any
    output: Any
    created: datetime | None
    updated: datetime | None

    @classmethod
    def of(cls, status: Any) -> Self:
        """Convert what the SDK's `get_status` returns; its class has no public name."""
        return cls(
            id=status.instance_id or "",
            name=status.name or "",
            # The SDK keeps a field that it does not know as an attribute.
            parent=getattr(status, "parentInstanceId", None),
            state=status.runtime_status.name if status.runtime_status else "Pending",
            input=_input(status.input_),
            custom_status=status.custom_status,
            output=status.output,
            created=status.created_time,
            updated=status.last_updated_time,
        )

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """Convert one entry of the host's own list."""
        return cls(
            id=row["instanceId"],
            name=row["name"] or "",
            parent=row.get("parentInstanceId"),
            state=row["runtimeStatus"],
            input=_input(row.get("input")),
            custom_status=row.get("customStatus"),
            output=row.get("output"),
            created=datetime.fromisoformat(row["createdTime"]),
            updated=datetime.fromisoformat(row["lastUpdatedTime"]),
        )

    @property
    def asked(self) -> Any:
        """The input that the caller sent, without what orchestrator and starter added."""
        if not isinstance(self.input, dict):
            return self.input
        added = (SO_FAR, SETTINGS)
        return {name: value for name, value in self.input.items() if name not in added}

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    @property
    def failure(self) -> Failure | None:
        """Why it failed, or None if it did not fail."""
        return failure_of(self.output) if self.state == "Failed" else None

    def as_operation(self) -> dict[str, Any]:
        """The status in Durable's own form, with a failure as a code and a sentence."""
        return {
            "name": self.name,
            "instanceId": self.id,
            **({"parentInstanceId": self.parent} if self.parent else {}),
            "runtimeStatus": self.state,
            "input": self.input,
            "customStatus": self.custom_status,
            "output": self.failure.as_data() if self.failure else self.output,
            "createdTime": _time(self.created),
            "lastUpdatedTime": _time(self.updated),
        }


async def find(client: df.DurableOrchestrationClient, instance_id: str) -> Instance:
    """Return an instance. Raises Problem 404, or 503."""
    instance = await look_for(client, instance_id)
    if instance is None:
        raise unknown(instance_id)
    return instance


async def look_for(client: df.DurableOrchestrationClient, instance_id: str) -> Instance | None:
    """Return an instance, or None if it is unknown. Raises Problem 503.

    The SDK treats every answer without a creation time as an unknown instance, also the answer
    of a host that cannot read its storage.
    """
    status = await client.get_status(instance_id, show_input=True)
    if status:
        return Instance.of(status)
    if getattr(status, "Message", None):
        raise hub_unavailable()
    return None


def unknown(instance_id: str) -> Problem:
    detail = f"operation {instance_id[:200]!r} is unknown: it was never started, or was deleted"
    return Problem(404, "unknown_operation", detail)


@contextmanager
def sdk_problems(instance_id: str) -> Iterator[None]:
    """Turn what the SDK's client raises into a Problem."""
    try:
        yield
    except Exception as error:  # the client raises nothing narrower
        for words, status, code, what in _SAYS:
            if words.search(str(error)):
                detail = f"operation {instance_id!r} {what}: look at its status"
                raise Problem(status, code, detail) from error
        raise


def _input(kept: Any) -> Any:
    """The input of an instance. The host stores what the SDK's client sends as JSON text."""
    if not isinstance(kept, str):
        return kept
    try:
        return json.loads(kept)
    except ValueError:
        return kept


def _time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
