"""The interface to storage, and the data that goes through it. `store` implements it in SQLite.

Work comes in three kinds: orchestrations, entities and activities. The host takes a piece of work
and commits what came of it, or abandons it; an activity is always committed. Nothing is on disk,
and nothing that was decided becomes work, before `flush`.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from durablehost.hub import history
from durablehost.hub.history import Event
from durablehost.hub.problems import Problem, StoredProblem

ENDED: frozenset[str] = frozenset({"Completed", "Failed", "Terminated", "Canceled"})


def is_entity(instance_id: str) -> bool:
    """Whether an id is that of an entity, '@name@key'; '@name' alone may be an orchestration's."""
    return instance_id.startswith("@") and "@" in instance_id[1:]


@dataclass(frozen=True, slots=True)
class Parent:
    """The orchestration that waits for this one."""

    instance_id: str
    execution_id: str
    task_id: int
    name: str
    version: str | None


@dataclass(frozen=True, slots=True)
class Instance:
    """What is known of an instance without its history. Entities have one too: '@name@key'."""

    id: str
    name: str
    version: str | None
    execution_id: str
    generation: int
    status: str
    input: str | None  # JSON text, like output and custom_status
    output: str | None
    custom_status: str | None
    created: datetime
    updated: datetime
    parent: Parent | None = None

    @property
    def ended(self) -> bool:
        return self.status in ENDED


def started(instance: Instance, now: datetime) -> Event:
    """The event that begins an execution of this instance."""
    parent = instance.parent
    return history.execution_started(
        now,
        instance_id=instance.id,
        execution_id=instance.execution_id,
        name=instance.name,
        version=instance.version,
        input_text=instance.input,
        parent=_parent_fields(parent) if parent else None,
        generation=None if parent or instance.generation else 0,
    )


def _parent_fields(parent: Parent) -> Event:
    return history.parent_instance(
        parent.name, parent.instance_id, parent.execution_id, parent.task_id, parent.version
    )


@dataclass(frozen=True, slots=True)
class Message:
    """Something on its way to an instance: an event for an orchestration, a request for an entity.

    With an execution id it is for that execution alone and lost on any other. With a due time it
    comes in then.
    """

    target: str
    event: Event
    execution_id: str | None = None
    due: datetime | None = None


@dataclass(frozen=True, slots=True)
class OrchestrationWork:
    """An instance with events it has not seen."""

    instance: Instance
    past: Sequence[Event]
    past_texts: Sequence[str]
    new: list[Event]
    receipt: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EntityWork:
    """An entity with requests it has not answered, in order of arrival."""

    id: str
    instance: Instance | None  # None before the first operation
    requests: list[Event]
    receipt: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ActivityWork:
    """An activity to run. It runs at least once."""

    receipt: int
    instance_id: str
    execution_id: str
    task_id: int
    name: str
    input: str  # JSON text


@dataclass(frozen=True, slots=True)
class NewActivity:
    task_id: int
    name: str
    input: str


class ScheduledTask(Protocol):
    """A task that an orchestrator scheduled, such as a call of an activity."""

    @property
    def id(self) -> int: ...

    def describe(self) -> str: ...


@dataclass(slots=True)
class Decision:
    """What an episode or an entity batch decided. A backend saves all of it or nothing."""

    instance: Instance  # as it is from now on
    events: list[Event] = field(default_factory=list)  # to append to the history
    activities: list[NewActivity] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    # Instances to start, with their first event. Where an id is in use its parent hears so.
    children: list[tuple[Instance, Message]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    new_generation: bool = False  # the history begins anew, `events` are dropped
    completions_needed: int = 1  # with fewer, the next episode cannot decide anything
    scheduled: Sequence[ScheduledTask] = ()  # sent by the fields above; kept for tests


@dataclass(frozen=True, slots=True)
class Query:
    """Which instances to list."""

    prefix: str = ""
    statuses: frozenset[str] = frozenset()
    created_from: datetime | None = None
    created_to: datetime | None = None
    after: str = ""  # an id: the page begins behind it
    top: int | None = 100  # None: all


class Backend(Protocol):
    """A task hub.

    Whatever writes may raise HubFull, where the disk takes no more, and HubUnusable, where the hub
    is damaged. Then, and where it raises anything else, nothing since the last flush happened: what
    was locked is offered again, but for activities, and what was taken before cannot be committed.
    """

    losses: int  # how often that came about

    def next_orchestration(
        self, not_now: Mapping[str, int] = MappingProxyType({})
    ) -> OrchestrationWork | None:
        """Lock and return an instance with unseen events; None if there is none unlocked.

        One named in `not_now` is passed over until it has that many.
        """
        ...

    def commit_orchestration(self, work: OrchestrationWork, decision: Decision) -> None:
        """Save the decision in one step and unlock the instance.

        Does nothing where it is no longer locked: after a loss, or with another in its place.
        """
        ...

    def abandon_orchestration(self, work: OrchestrationWork) -> None:
        """Unlock without saving; the same events are offered when something new comes in.

        For our own failures, and for versions this app does not take. An orchestration that fails
        is a success here, and is committed.
        """
        ...

    def next_entity(self, not_now: Container[str] = ()) -> EntityWork | None:
        """Lock and return an entity with unanswered requests; None if there is none unlocked.

        Those named in `not_now` are passed over.
        """
        ...

    def commit_entity(self, work: EntityWork, decision: Decision) -> None:
        """Save state and answers in one step and unlock the entity, if it is still locked."""
        ...

    def abandon_entity(self, work: EntityWork) -> None:
        """Unlock without saving; the same requests are offered when something new comes in."""
        ...

    def next_activity(self) -> ActivityWork | None:
        """Lock and return the activity that has waited longest, or None."""
        ...

    def commit_activity(self, work: ActivityWork, event: Event) -> None:
        """Take the activity off the list and send its end to the orchestration, in one step."""
        ...

    def create(self, instance: Instance, first: Message) -> None:
        """Add an instance, in the place of an ended one of its id, with its first event.

        The caller has looked whether the id is free; one thread does both.
        """
        ...

    def send(self, message: Message) -> None:
        """Put a message on its way. To an id nobody has, or that has ended, it is lost."""
        ...

    def rewrite(self, instance: Instance, events: Sequence[Event], first: Message | None) -> None:
        """Replace status and history of an instance at rest, and wake it with an event (rewind)."""
        ...

    def instance(self, instance_id: str) -> Instance | None:
        """What is known of an instance, or None."""
        ...

    def history(self, instance_id: str) -> list[Event]:
        """The events of its current execution, oldest first; empty for an id nobody has."""
        ...

    def list_instances(self, query: Query) -> list[Instance]:
        """A page of instances in order of their ids."""
        ...

    def purge(self, instance_ids: Iterable[str]) -> int:
        """Delete instances with all that belongs to them; how many there were."""
        ...

    def problems(self, instance_id: str | None = None) -> list[StoredProblem]:
        """The problems of an instance, or of all, oldest first."""
        ...

    def note(self, instance_id: str, problems: Iterable[Problem], at: datetime) -> list[Problem]:
        """Keep the problems of an instance; returns those that are new."""
        ...

    def release(self, now: datetime) -> None:
        """Let messages in that have come due."""
        ...

    def next_due(self) -> datetime | None:
        """When the next delayed message comes in."""
        ...

    def flush(self) -> bool:
        """Write all since the last flush in one transaction, and offer what it made as work.

        Returns whether there is more to do at once: messages came in, or space is to be freed.
        """
        ...

    def get_value(self, key: str) -> str | None:
        """A value kept for the host itself, or None."""
        ...

    def put_value(self, key: str, value: str) -> None:
        """Keep a value for the host itself."""
        ...

    def close(self) -> None:
        """Write what is open and let the hub go."""
        ...
