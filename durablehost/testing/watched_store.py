"""The store of a test hub, which keeps a record of the child orchestrations."""

import json
from pathlib import Path

from durablehost.hub.backend import Decision, OrchestrationWork
from durablehost.store import SqliteBackend
from durablehost.testing.calls import Call, CallLog
from durablehost.testing.values import input_value, value_of


class WatchedBackend(SqliteBackend):
    """Records a child as a call: from the commit that creates it to the commit that ends it."""

    def __init__(self, path: Path | str, log: CallLog) -> None:
        super().__init__(path)
        self._log = log
        self._running: dict[str, Call] = {}

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
