"""The store of a test hub: records children, and shuffles events of the same moment."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from durablehost.hub import history
from durablehost.hub.backend import Decision, OrchestrationWork
from durablehost.hub.history import Event
from durablehost.store import SqliteBackend
from durablehost.testing.calls import Call, CallLog
from durablehost.testing.shuffling import Shuffle
from durablehost.testing.values import input_value, value_of

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
    """Records a child as a call, from the commit that creates it to the one that ends it."""

    def __init__(self, path: Path | str, log: CallLog, shuffle: Shuffle) -> None:
        super().__init__(path)
        self._log = log
        self._shuffle = shuffle
        self._running: dict[str, Call] = {}

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
        for child, _ in decision.children:
            given = input_value(child.input)
            call = self._log.begin("orchestrator", child.name, given, instance.id)
            self._running[child.id] = call
        if instance.ended and (ended := self._running.pop(instance.id, None)):
            ended.ended = True
            result = value_of(instance.output)
            if instance.status == "Completed":
                ended.result = result
            else:
                ended.error = result if isinstance(result, str) else json.dumps(result)
