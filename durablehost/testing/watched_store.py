"""The store of a test hub: records calls of children and entities, and shuffles events."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from durablehost.app.functions import FunctionTable
from durablehost.episodes.scheduled import CallChild, SendRequest
from durablehost.hub import history
from durablehost.hub.backend import (
    Decision,
    EntityWork,
    Instance,
    OrchestrationWork,
    already_exists,
)
from durablehost.hub.history import Event
from durablehost.store import SqliteBackend
from durablehost.testing.calls import Call, CallLog
from durablehost.testing.shuffling import Shuffle
from durablehost.testing.values import value_of

_COMPLETIONS: Final = frozenset(
    {
        history.TASK_COMPLETED,
        history.TASK_FAILED,
        history.SUB_ORCHESTRATION_COMPLETED,
        history.SUB_ORCHESTRATION_FAILED,
        history.TIMER_FIRED,
        history.EVENT_RAISED,
    }
)


class WatchedBackend(SqliteBackend):
    """Records a call from the commit that makes it to the one that ends it.

    A commit happens once, also if a crash lets the code run again.
    """

    def __init__(
        self, path: Path | str, table: FunctionTable, log: CallLog, shuffle: Shuffle
    ) -> None:
        super().__init__(path)
        self._table = table
        self._log = log
        self._shuffle = shuffle
        # By the id of the child, or of the request to the entity.
        self.running: dict[str, Call] = {}

    def next_orchestration(
        self, not_now: Mapping[str, int] = MappingProxyType({})
    ) -> OrchestrationWork | None:
        work = super().next_orchestration(not_now)
        return work and replace(work, new=self._shuffled(work.new))

    def _shuffled(self, events: list[Event]) -> list[Event]:
        """The same events, with completions and raised events in another order."""
        movable = [event for event in events if event["EventType"] in _COMPLETIONS]
        moved = iter(self._shuffle.in_some_order(movable))
        return [next(moved) if one["EventType"] in _COMPLETIONS else one for one in events]

    def commit_orchestration(self, work: OrchestrationWork, decision: Decision) -> None:
        super().commit_orchestration(work, decision)
        instance = decision.instance
        for task in decision.scheduled:
            if isinstance(task, CallChild):
                self._begin_child(task, work.instance)
            elif isinstance(task, SendRequest):
                self._begin_operation(task, instance.id)
        if instance.ended:
            failed = instance.status != "Completed"
            self._end(instance.id, value_of(instance.output), failed=failed)

    def commit_entity(self, work: EntityWork, decision: Decision) -> None:
        super().commit_entity(work, decision)
        for message in decision.messages:
            reply = json.loads(message.event["Input"])
            failed = "exceptionType" in reply
            self._end(message.event["Name"], json.loads(reply["result"]), failed=failed)

    def _begin_child(self, task: CallChild, caller: Instance) -> None:
        function = self._table.orchestrator(task.name)
        assert function is not None, f"no episode calls the unknown orchestrator {task.name}"
        given = json.loads(task.input)
        call = self._log.begin("orchestrator", function.durable_name, given, caller.id)
        child = self.instance(task.instance_id)
        assert child is not None, f"neither started nor found: {task.instance_id}"
        parent = child.parent
        if parent and (parent.execution_id, parent.task_id) == (caller.execution_id, task.id):
            self.running[child.id] = call
        else:  # the id was in use
            call.ended, call.error = True, already_exists(child)

    def _begin_operation(self, task: SendRequest, caller: str) -> None:
        _, name, key = task.target.split("@", 2)
        function = self._table.entity(name)
        assert function is not None, f"no episode sends a request to the unknown entity {name}"
        call = self._log.begin(
            "signal" if task.signal else "entity",
            function.durable_name,
            json.loads(task.input),
            caller,
            key=key,
            operation=task.operation,
        )
        if task.signal:
            call.ended = True
        else:
            self.running[task.request_id] = call

    def _end(self, call_id: str, outcome: Any, *, failed: bool) -> None:
        call = self.running.pop(call_id, None)
        if call is None:
            return
        call.ended = True
        if not failed:
            call.result = outcome
        else:
            call.error = outcome if isinstance(outcome, str) else json.dumps(outcome)
