"""The client of a task hub, which the management API and the test hub use.

It reads and writes through the backend. It does not know the engine: `wake` tells the engine that
something came in.
"""

import json
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from durablehost.app.functions import Known, no_such_function
from durablehost.errors import (
    BadRequest,
    InstanceEnded,
    InstanceExists,
    InstanceNotFound,
    UnknownFunction,
    WrongState,
)
from durablehost.hub import history
from durablehost.hub.backend import (
    ENDED,
    Backend,
    Instance,
    Message,
    Query,
    already_exists,
    is_entity,
    started,
)
from durablehost.hub.clock import Clock
from durablehost.hub.history import Event, compact
from durablehost.hub.problems import StoredProblem

_PURGED_AT_ONCE: Final = 200  # instances
_PURGE_SECONDS: Final = 0.004  # large instances take longer than small ones


class HubClient:
    """Starts, reads and manages instances and entities."""

    def __init__(
        self,
        backend: Backend,
        clock: Clock,
        table: Known,
        wake: Callable[[str], None],
        *,
        default_version: str | None = None,
        may_replace_running: bool = False,
    ) -> None:
        self._backend = backend
        self._clock = clock
        self._table = table
        self._wake = wake
        self._default_version = default_version
        self._may_replace_running = may_replace_running

    # Orchestrations

    def start(
        self,
        name: str,
        instance_id: str | None = None,
        input_text: str | None = None,
        version: str | None = None,
    ) -> str:
        """Start an instance. Returns its id.

        Raises InstanceExists while one of this id runs, UnknownFunction if the orchestrator is
        disabled.
        """
        instance_id = instance_id or uuid.uuid4().hex
        existing = self._backend.instance(instance_id)
        if existing is not None and not existing.ended and not self._may_replace_running:
            raise InstanceExists(already_exists(existing))
        self._create(name, instance_id, input_text, version)
        return instance_id

    def _create(
        self, name: str, instance_id: str, input_text: str | None, version: str | None
    ) -> None:
        now = self._clock.now()
        instance = Instance(
            id=instance_id,
            name=self._proper_name(name),
            version=self._default_version if version is None else version,
            execution_id=str(uuid.uuid4()),
            generation=0,
            status="Pending",
            input=input_text,
            output=None,
            custom_status=None,
            created=now,
            updated=now,
        )
        self._backend.create(instance, Message(instance_id, started(instance, now)))
        self._wake(instance_id)

    def _proper_name(self, name: str) -> str:
        function = self._table.orchestrator(name)
        if function is not None and function.is_disabled:
            known = self._table.durable_names("orchestration")
            raise UnknownFunction(no_such_function("orchestrator", name, known))
        return function.durable_name if function else name

    def status(self, instance_id: str) -> Instance:
        """Raises InstanceNotFound."""
        instance = self._backend.instance(instance_id)
        if instance is None:
            raise InstanceNotFound(f"No instance with ID '{instance_id}' found.")
        return instance

    def events(self, instance_id: str) -> list[Event]:
        """The history of its current execution, oldest first."""
        return self._backend.history(instance_id)

    def problems(self, instance_id: str) -> Sequence[StoredProblem]:
        """The problems durablehost has noticed in an instance."""
        return self._backend.problems(instance_id)

    def list_instances(self, query: Query) -> Sequence[Instance]:
        return self._backend.list_instances(query)

    def raise_event(self, instance_id: str, name: str, value: Any) -> None:
        """Send an external event. Raises InstanceNotFound or InstanceEnded."""
        self._going(instance_id)
        event = history.event_raised(self._clock.now(), name, compact(value))
        self._send(Message(instance_id, event))

    def terminate(self, instance_id: str, reason: str) -> None:
        """Raises InstanceNotFound or InstanceEnded."""
        self._going(instance_id)
        event = history.execution_terminated(self._clock.now(), reason)
        self._send(Message(instance_id, event))

    def suspend(self, instance_id: str, reason: str) -> None:
        """Raises InstanceNotFound, InstanceEnded, or WrongState if it is already suspended."""
        if self._going(instance_id).status == "Suspended":
            raise WrongState("Cannot suspend orchestration instance in the Suspended state.")
        event = history.execution_suspended(self._clock.now(), reason)
        self._send(Message(instance_id, event))

    def resume(self, instance_id: str, reason: str) -> None:
        """Raises InstanceNotFound, InstanceEnded, or WrongState if it is not suspended."""
        status = self._going(instance_id).status
        if status != "Suspended":
            raise WrongState(f"Cannot resume orchestration instance in the {status} state.")
        event = history.execution_resumed(self._clock.now(), reason)
        self._send(Message(instance_id, event))

    def restart(
        self, instance_id: str, target: str | None = None, version: str | None = None
    ) -> str:
        """Start again with the same name and input. Raises InstanceExists or BadRequest.

        `target` is the id of the new instance; without it, it gets a new one. Without a version it
        has the default version, because the extension does not keep the old one. Returns the id.
        """
        instance = self._backend.instance(instance_id)
        if instance is None:
            raise BadRequest("InstanceId does not match a valid orchestration instance.")
        target = target or uuid.uuid4().hex
        replaced = self._backend.instance(target)
        if replaced is not None and not replaced.ended:
            raise InstanceExists("A non-terminal instance with this instance ID already exists.")
        self._create(instance.name, target, instance.input, version)
        return target

    def rewind(self, instance_id: str, reason: str) -> None:
        """Undo what failed and go on. Raises InstanceNotFound, or WrongState if not Failed."""
        instance = self._backend.instance(instance_id)
        if instance is None:
            raise InstanceNotFound(f'No orchestration with instance ID "${instance_id}" found.')
        if instance.status != "Failed":
            raise WrongState(
                f"This orchestration has status {instance.status}, but only orchestrations in the"
                ' "Failed" state can be rewound.'
            )
        self._rewind(instance, reason)
        self._wake(instance_id)

    def _rewind(self, instance: Instance, reason: str) -> None:
        events = self._backend.history(instance.id)
        failed = {
            (event["EventType"], event["TaskScheduledId"])
            for event in events
            if event["EventType"] in (history.TASK_FAILED, history.SUB_ORCHESTRATION_FAILED)
        }
        now = self._clock.now()
        running = replace(instance, status="Running", output=None, updated=now)
        children = [
            event["InstanceId"]
            for event in events
            if event["EventType"] == history.SUB_ORCHESTRATION_CREATED
            and (history.SUB_ORCHESTRATION_FAILED, event["EventId"]) in failed
        ]
        rewound = [_rewound(event, failed) for event in events]
        # A parent waits for its failed children; only the deepest ones get an event.
        wake = None if children else Message(instance.id, _revival(now, reason))
        self._backend.rewrite(running, rewound, wake)
        for child_id in children:
            child = self._backend.instance(child_id)
            if child is not None and child.status == "Failed":
                self._rewind(child, reason)

    def purge(self, instance_id: str) -> int:
        """Delete an ended instance. Returns 0 or 1. Raises WrongState while it runs."""
        instance = self._backend.instance(instance_id)
        if instance is not None and not instance.ended and not is_entity(instance_id):
            raise WrongState(
                "Only orchestrations in a terminal state can be purged, but the orchestration with"
                f" instance ID {instance_id} has status {instance.status}"
            )
        return self._backend.purge([instance_id])

    def purge_by(
        self,
        created_from: datetime,
        created_to: datetime | None,
        statuses: frozenset[str],
    ) -> int:
        """Delete some ended instances of a period. Returns how many; 0 if there are no more.

        It ends after a few milliseconds, or after one instance.
        """
        wanted = (statuses & ENDED) if statuses else ENDED
        query = Query(
            statuses=wanted, created_from=created_from, created_to=created_to, top=_PURGED_AT_ONCE
        )
        until = time.perf_counter() + _PURGE_SECONDS
        purged = 0
        for instance in self._backend.list_instances(query) if wanted else []:
            purged += self._backend.purge([instance.id])
            if time.perf_counter() > until:
                break
        return purged

    def _going(self, instance_id: str) -> Instance:
        instance = self.status(instance_id)
        if instance.ended:
            raise InstanceEnded(f"Instance with ID {instance_id} has ended: {instance.status}.")
        return instance

    def _send(self, message: Message) -> None:
        self._backend.send(message)
        self._wake(message.target)

    # Entities

    def signal(self, name: str, key: str, operation: str, input_text: str | None) -> None:
        """Send an operation; `input_text` is JSON or None. Raises UnknownFunction."""
        if self._table.entity(name) is None:
            raise UnknownFunction(
                no_such_function("entity", name.lower(), self._table.durable_names("entity"))
            )
        request = {
            "op": operation,
            "signal": True,
            "input": input_text,
            "id": str(uuid.uuid4()),
        }
        self._send(Message(entity_id(name, key), request))

    def entity_state(self, name: str, key: str) -> str:
        """The JSON text of an entity's state, or 'null'. Raises InstanceNotFound."""
        instance = self.status(entity_id(name, key))
        return state_of(instance)

    def list_entities(self, name: str | None, query: Query) -> Sequence[Instance]:
        prefix = f"@{name.lower()}@" if name else "@"
        return self._backend.list_instances(replace(query, prefix=prefix))


def entity_id(name: str, key: str) -> str:
    return f"@{name.lower()}@{key}"


def exists(entity: Instance) -> bool:
    """Whether the entity has a state: it was given one, and was not deleted since."""
    return bool(json.loads(entity.input or "{}").get("exists"))


def state_of(entity: Instance) -> str:
    """The JSON text of the state in an entity's instance."""
    kept = json.loads(entity.input or "{}")
    return str(kept.get("state", "null")) if kept.get("exists") else "null"


def _rewound(event: Event, failed: set[tuple[int, int]]) -> Event:
    kind = event["EventType"]
    scheduled = kind == history.TASK_SCHEDULED and (history.TASK_FAILED, event["EventId"]) in failed
    failure = kind in (history.TASK_FAILED, history.SUB_ORCHESTRATION_FAILED)
    if scheduled or failure or kind == history.EXECUTION_COMPLETED:
        at = history.read_stamp(event["Timestamp"])
        return history.generic_event(at, event["EventId"], f"Rewound: {history.NAMES[kind]}")
    return event


def _revival(now: datetime, reason: str) -> Event:
    return history.generic_event(now, -1, reason)
