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
    """Whether an id belongs to an entity: '@name@key'. An orchestration may be called '@name'."""
    return instance_id.startswith("@") and instance_id.find("@", 1) > 1


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
    """An instance without its history. An entity has one too, with the id '@name@key'."""

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


def already_exists(instance: Instance) -> str:
    """The host's words to those who want to start another instance of this id."""
    return f"An Orchestration instance with the status {instance.status} already exists."


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


def parent_of(start: Event) -> Parent | None:
    """The parent that the first event of an execution names."""
    recorded = start["ParentInstance"]
    if not recorded:
        return None
    execution = recorded["OrchestrationInstance"]
    return Parent(
        execution["InstanceId"],
        execution["ExecutionId"],
        recorded["TaskScheduleId"],
        recorded["Name"],
        recorded["Version"],
    )


@dataclass(frozen=True, slots=True)
class Message:
    """An event sent to an orchestration, or a request sent to an entity.

    With an execution id, only that execution receives it. With a due time, it arrives then.
    """

    target: str
    event: Event
    execution_id: str | None = None
    due: datetime | None = None


@dataclass(frozen=True, slots=True)
class OrchestrationWork:
    """An instance with new events."""

    instance: Instance
    past: Sequence[Event]
    past_texts: Sequence[str]
    new: list[Event]
    receipt: tuple[int, ...]

    @property
    def target(self) -> str:
        return self.instance.id


@dataclass(frozen=True, slots=True)
class EntityWork:
    """An entity with new requests, in order of arrival."""

    id: str
    instance: Instance | None  # None before the first operation
    requests: list[Event]
    receipt: tuple[int, ...]

    @property
    def target(self) -> str:
        return self.id


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

    instance: Instance  # as it is after this decision
    events: list[Event] = field(default_factory=list)  # to append to the history
    activities: list[NewActivity] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    # Instances to start, with their first event. If an id is in use, the call fails in the parent.
    children: list[tuple[Instance, Message]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    failure: str | None = None  # why the instance failed, in one line, if no problem says it
    new_generation: bool = False  # the history starts again, without `events`
    completions_needed: int = 1  # with fewer, the next episode cannot decide anything
    scheduled: Sequence[ScheduledTask] = ()  # sent by the fields above; kept for tests


@dataclass(frozen=True, slots=True)
class Query:
    """Which instances to list."""

    prefix: str = ""
    statuses: frozenset[str] = frozenset()
    created_from: datetime | None = None
    created_to: datetime | None = None
    after: str = ""  # an id: the page starts after it
    top: int | None = 100  # None: all


@dataclass(frozen=True, slots=True)
class Search:
    """Which orchestrations the dashboard shows, the newest first. Entities are not among them."""

    name: str = ""  # of the orchestrator
    statuses: frozenset[str] = frozenset()
    prefix: str = ""  # of the id
    created_from: datetime | None = None
    created_to: datetime | None = None
    text: str = ""  # in the id, input, output or custom status; case makes no difference
    before: int | None = None  # the number of an instance: the page starts with older ones
    top: int = 100


@dataclass(frozen=True, slots=True)
class Found:
    """An instance in the result of a search, with the beginnings of its texts."""

    number: int  # grows with each instance that is created
    id: str
    name: str
    status: str
    created: datetime
    updated: datetime
    input: str
    output: str
    custom_status: str
    is_child: bool


class Backend(Protocol):
    """A task hub.

    Every method that writes may raise HubFull if the disk is full, and HubUnusable if the hub is
    damaged. After these and all other exceptions nothing since the last flush is kept. The backend
    then offers all work again, except activities that run, and ignores commits of work that was
    taken before.
    """

    losses: int  # how often that has happened

    def next_orchestration(
        self, not_now: Mapping[str, int] = MappingProxyType({})
    ) -> OrchestrationWork | None:
        """Lock and return an instance with new events; None if no unlocked instance has any.

        An instance in `not_now` is passed over until it has that many new events.
        """
        ...

    def commit_orchestration(self, work: OrchestrationWork, decision: Decision) -> None:
        """Save the decision in one step and unlock the instance.

        Does nothing if the instance is not locked any more: after a loss, or when another instance
        has taken its place.
        """
        ...

    def next_entity(self, not_now: Container[str] = ()) -> EntityWork | None:
        """Lock and return an entity with new requests; None if no unlocked entity has any.

        Entities in `not_now` are passed over.
        """
        ...

    def commit_entity(self, work: EntityWork, decision: Decision) -> None:
        """Save state and replies in one step and unlock the entity, if it is still locked."""
        ...

    def abandon(self, work: OrchestrationWork | EntityWork) -> bool:
        """Unlock without saving. The same messages are offered again when a new one arrives.

        This is for failures of durablehost, for code that does not end, and for versions that this
        app does not run. The failure of an orchestration is a decision, and is committed.
        Returns whether the work was still locked.
        """
        ...

    def awaits(self, work: OrchestrationWork | EntityWork) -> bool:
        """Whether the outcome of this work is wanted: not after a termination or a purge."""
        ...

    def next_activity(self) -> ActivityWork | None:
        """Lock and return the activity that has waited longest, or None."""
        ...

    def commit_activity(self, work: ActivityWork, event: Event) -> None:
        """Remove the activity and send its event to the orchestration, in one step."""
        ...

    def create(self, instance: Instance, first: Message) -> None:
        """Add an instance with its first event, in place of any other instance of its id.

        The caller has checked that it may take that place.
        """
        ...

    def send(self, message: Message) -> None:
        """Send a message. It is lost if no instance has this id, or if the instance has ended."""
        ...

    def rewrite(self, instance: Instance, events: Sequence[Event], first: Message | None) -> None:
        """Replace status and history of an ended instance, and send it an event (rewind)."""
        ...

    def instance(self, instance_id: str) -> Instance | None:
        """An instance, or None."""
        ...

    def history(self, instance_id: str) -> list[Event]:
        """The events of its current execution, oldest first; empty if no instance has this id."""
        ...

    def list_instances(self, query: Query) -> list[Instance]:
        """A page of instances in order of their ids."""
        ...

    def search(self, search: Search) -> list[Found]:
        """A page of orchestrations, the newest first."""
        ...

    def count(self, search: Search) -> dict[str, int]:
        """How many orchestrations fit a search, by status; its own statuses do not matter."""
        ...

    def orchestrators(self) -> list[str]:
        """The names of all orchestrators that have instances, in alphabetical order."""
        ...

    def changes(self) -> int:
        """A number that grows with each change of the hub while it is open."""
        ...

    def purge(self, instance_ids: Iterable[str]) -> int:
        """Delete instances with all that belongs to them. Returns how many there were."""
        ...

    def problems(self, instance_id: str | None = None) -> list[StoredProblem]:
        """The problems of an instance, or of all, oldest first."""
        ...

    def note(self, instance_id: str, problems: Iterable[Problem], at: datetime) -> list[Problem]:
        """Keep the problems of an instance; returns those that are new."""
        ...

    def release(self, now: datetime) -> None:
        """Deliver the delayed messages that are due."""
        ...

    def next_due(self) -> datetime | None:
        """When the next delayed message is due, or None."""
        ...

    def can_wait(self) -> bool:
        """Whether only ends of activities and messages from clients are not flushed.

        No answer shows the end of an activity before an episode has taken it.
        """
        ...

    def flush(self) -> bool:
        """Write all since the last flush in one transaction, and offer its new activities.

        Returns whether more is to be done at once, because space has to be freed.
        """
        ...

    def get_value(self, key: str) -> str | None:
        """A value that durablehost has kept for itself, or None."""
        ...

    def put_value(self, key: str, value: str) -> None:
        """Keep a value for durablehost itself."""
        ...

    def close(self) -> None:
        """Write what is not on disk yet, and release the hub."""
        ...
