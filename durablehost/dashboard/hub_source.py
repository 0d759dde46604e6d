"""Answers the dashboard from a task hub in this process."""

from collections import deque
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final

from durablehost.app.functions import FunctionTable
from durablehost.calling.threads import DaemonPool
from durablehost.dashboard.functions_shown import shown_functions
from durablehost.dashboard.operations import operations_of
from durablehost.dashboard.rows import row_of
from durablehost.dashboard.source import Json
from durablehost.dashboard.stepping import Orchestrate, replayed, run_within_limit
from durablehost.hub import history
from durablehost.hub.backend import Backend, Found, Instance, Query, Search, is_entity
from durablehost.hub.client import exists, state_of
from durablehost.hub.clock import Clock, MovableClock
from durablehost.hub.history import stamp
from durablehost.hub.problems import StoredProblem

CLOCK_AHEAD: Final = "clock-ahead"  # the key by which the hub keeps the seconds
_MOST_ENTITIES: Final = 1000
_ABOVE: Final = 4  # generations above an instance in its tree
_DEEPEST: Final = 8  # generations in the tree
_MOST_CHILDREN: Final = 200
_MOST_IN_TREE: Final = 500


class HubSource:
    """Reads a backend; replays run on a thread, because an orchestrator may loop."""

    def __init__(
        self,
        backend: Backend,
        table: FunctionTable,
        orchestrate: Orchestrate,
        clock: Clock,
        about: Json,
        route_prefix: str = "api",
        long_calls: Callable[[], list[str]] = list,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """`wake` tells the engine that the clock was moved, if it is a MovableClock."""
        self._backend = backend
        self._table = table
        self._orchestrate = orchestrate
        self._clock = clock
        self._about = about
        self._route_prefix = route_prefix
        self._long_calls = long_calls
        self._wake = wake
        self._pool: DaemonPool | None = None  # made for the first replay
        self._replay: tuple[object, Json] | None = None  # the last one, and what it is of

    def version(self) -> str:
        return str(self._backend.changes())

    async def about(self) -> Json:
        about = {**self._about, "orchestrators": self._backend.orchestrators()}
        if isinstance(self._clock, MovableClock):
            due = self._backend.next_due()
            about["clock"] = {
                "now": stamp(self._clock.now()),
                "next": stamp(due) if due else None,
            }
        return about

    async def move_clock(self, by: timedelta) -> bool:
        if not isinstance(self._clock, MovableClock):
            return False
        self._clock.ahead += by
        self._backend.put_value(CLOCK_AHEAD, str(self._clock.ahead.total_seconds()))
        self._wake()
        return True

    async def instances(self, search: Search) -> Json:
        found = self._backend.search(search)
        return {
            "instances": [_listed(one) for one in found],
            "counts": self._backend.count(search) if search.before is None else None,
            "next": found[-1].number if len(found) == search.top else None,
            "longCalls": self._long_calls(),
        }

    async def instance(self, instance_id: str) -> Json | None:
        instance = self._backend.instance(instance_id)
        if instance is None:
            return None
        return {
            "instance": shown_of(instance),
            "events": [row_of(event) for event in self._backend.history(instance_id)],
            "problems": [_problem(one) for one in self._backend.problems(instance_id)],
            "tree": self._tree(self._root(instance)),
        }

    async def replay(self, instance_id: str) -> Json | None:
        instance = self._backend.instance(instance_id)
        if instance is None:
            return None
        events = self._backend.history(instance_id)
        is_of = (instance_id, instance.status, instance.updated, len(events), self._ahead())
        if self._replay is not None and self._replay[0] == is_of:
            return self._replay[1]
        self._pool = self._pool or DaemonPool(1)
        run = partial(replayed, self._table, self._orchestrate, instance, events, self._clock.now())
        found = await run_within_limit(self._pool, run)
        self._replay = (is_of, found)
        return found

    def _ahead(self) -> timedelta | None:
        return self._clock.ahead if isinstance(self._clock, MovableClock) else None

    async def entities(self) -> list[Json]:
        found = self._backend.list_instances(Query(prefix="@", top=_MOST_ENTITIES))
        return [self._entity(one) for one in found if is_entity(one.id) and exists(one)]

    async def problems(self) -> list[Json]:
        return [_problem(one) for one in self._backend.problems()]

    async def functions(self) -> Json:
        return shown_functions(self._table, self._route_prefix)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()

    def _entity(self, entity: Instance) -> Json:
        _, name, key = entity.id.split("@", 2)
        function = self._table.entity(name)
        return {
            "name": name,
            "key": key,
            "state": state_of(entity),
            "updated": stamp(entity.updated),
            "operations": operations_of(function) if function else [],
        }

    def _root(self, instance: Instance) -> Instance:
        for _ in range(_ABOVE):
            parent = instance.parent and self._backend.instance(instance.parent.instance_id)
            if not parent:
                break
            instance = parent
        return instance

    def _tree(self, root: Instance) -> Json:
        """An instance and what is below it, generation by generation: the deepest are left out."""
        tree = _node(root) | {"parent": root.parent.instance_id if root.parent else None}
        waiting, left = deque([(tree, 0)]), _MOST_IN_TREE
        while waiting:
            node, depth = waiting.popleft()
            ids = self._child_ids(node["id"])
            most = min(_MOST_CHILDREN, left) if depth < _DEEPEST else 0
            found = filter(None, map(self._backend.instance, ids[:most]))
            node["children"] = [_node(child) for child in found]
            node["more"] = len(ids) - len(ids[:most])
            left -= len(node["children"])
            waiting += [(child, depth + 1) for child in node["children"]]
        return tree

    def _child_ids(self, instance_id: str) -> list[str]:
        return [
            event["InstanceId"]
            for event in self._backend.history(instance_id)
            if event["EventType"] == history.SUB_ORCHESTRATION_CREATED
        ]


def _node(instance: Instance) -> Json:
    return {"id": instance.id, "name": instance.name, "status": instance.status}


def _listed(found: Found) -> Json:
    return {
        "id": found.id,
        "name": found.name,
        "status": found.status,
        "created": stamp(found.created),
        "updated": stamp(found.updated),
        "input": found.input,
        "output": found.output,
        "customStatus": found.custom_status,
        "isChild": found.is_child,
    }


def shown_of(instance: Instance) -> Json:
    """An instance without its history."""
    return {
        "id": instance.id,
        "name": instance.name,
        "version": instance.version,
        "status": instance.status,
        "generation": instance.generation,
        "created": stamp(instance.created),
        "updated": stamp(instance.updated),
        "input": instance.input,
        "output": instance.output,
        "customStatus": instance.custom_status,
        "parent": instance.parent.instance_id if instance.parent else None,
    }


def _problem(problem: StoredProblem) -> Json:
    return {
        "instanceId": problem.instance_id,
        "kind": problem.kind,
        "subject": problem.subject,
        "text": problem.text,
        "at": stamp(problem.at),
    }
