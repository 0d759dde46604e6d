"""What the tests of the store put into it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from durablehost.hub import history
from durablehost.hub.backend import (
    Backend,
    Decision,
    Instance,
    Message,
    NewActivity,
    OrchestrationWork,
    Query,
    started,
)
from durablehost.hub.history import Event
from durablehost.store import SqliteBackend

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def an_instance(instance_id: str, **known: object) -> Instance:
    """An instance that has just been asked for."""
    instance = Instance(
        id=instance_id,
        name="process",
        version=None,
        execution_id=f"execution of {instance_id}",
        generation=0,
        status="Pending",
        input=None,
        output=None,
        custom_status=None,
        created=NOW,
        updated=NOW,
    )
    return replace(instance, **known)  # type: ignore[arg-type]  # the names are Instance's own


def start(backend: Backend, instance_id: str, **known: object) -> Instance:
    """Have it in the hub, with its first event."""
    instance = an_instance(instance_id, **known)
    backend.create(instance, Message(instance_id, started(instance, NOW)))
    return instance


def take(backend: Backend) -> OrchestrationWork:
    """The orchestration work there is."""
    work = backend.next_orchestration()
    assert work is not None
    return work


def running(work: OrchestrationWork, **decision: object) -> Decision:
    """The decision of an episode that saw its events and waits for more."""
    instance = replace(work.instance, status="Running", updated=LATER)
    events = [history.orchestrator_started(NOW), *work.new, history.orchestrator_completed(NOW)]
    return Decision(instance, events, **decision)  # type: ignore[arg-type]  # as above


def ended(work: OrchestrationWork, status: str = "Completed") -> Decision:
    """The decision of a last episode."""
    decision = running(work)
    decision.instance = replace(decision.instance, status=status, output='"done"')
    decision.events.append(history.execution_completed(NOW, 0, status, '"done"'))
    return decision


def bring(backend: Backend, instance_id: str, status: str, **known: object) -> None:
    """Have an instance in the hub that has got as far as this status."""
    start(backend, instance_id, **known)
    backend.flush()
    work = take(backend)
    decision = running(work) if status == "Running" else ended(work, status)
    backend.commit_orchestration(work, decision)
    backend.flush()


def call(backend: Backend, instance_id: str, activities: Sequence[str]) -> None:
    """Have a running instance in the hub that waits for these activities."""
    start(backend, instance_id)
    backend.flush()
    work = take(backend)
    calls = [NewActivity(number, name, "null") for number, name in enumerate(activities)]
    backend.commit_orchestration(work, running(work, activities=calls))
    backend.flush()


def event(instance_id: str, name: str, **message: object) -> Message:
    """An external event for an instance."""
    raised = history.event_raised(NOW, name, "null")
    return Message(instance_id, raised, **message)  # type: ignore[arg-type]  # as above


def request(entity_id: str, number: int) -> Message:
    """A signal for an entity, with a number for its input."""
    operation = {"op": "add", "signal": True, "input": str(number), "id": str(number)}
    return Message(entity_id, operation)


def an_entity(entity_id: str, state: str) -> Instance:
    """An entity as its first operations left it."""
    return an_instance(entity_id, name=entity_id, status="Running", input=state)


def names(events: Sequence[Event]) -> list[str]:
    """The names of those events that were raised."""
    return [event["Name"] for event in events if event["EventType"] == history.EVENT_RAISED]


def ids_in(path: Path) -> list[str]:
    """The ids of the instances in a hub file."""
    hub = SqliteBackend(path)
    ids = [instance.id for instance in hub.list_instances(Query())]
    hub.close()
    return ids


def a_hub(path: Path, instances: int = 1) -> Path:
    """Make a hub file with some ended instances, and close it."""
    hub = SqliteBackend(path)
    for number in range(instances):
        bring(hub, f"a:{number:03}", "Completed")
    hub.close()
    return path
