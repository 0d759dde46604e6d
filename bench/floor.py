"""The floor: what the SDK's own replay of the same episodes costs, with no host around it."""

import json
import sys
import time
from collections.abc import Callable

import azure.functions as func

from bench.sides import APP
from durablehost.app.functions import Function, FunctionTable
from durablehost.app.loading import load_app
from durablehost.episodes.episode import run_episode
from durablehost.episodes.sdk_turn import Turn
from durablehost.hub import history
from durablehost.hub.clock import SystemClock
from durablehost.hub.history import Event


class Floor:
    """Runs an orchestrator episode by episode and adds up what the SDK takes of it."""

    def __init__(self) -> None:
        before = sys.path[:]
        self._table: FunctionTable = load_app(APP)
        sys.path[:] = before

    def seconds(self, name: str, n: int, batch: int) -> tuple[float, float]:
        """(the SDK's share, all of the episodes) with `batch` completions an episode."""
        function = self._table.orchestrator(name)
        assert function is not None
        sdk = _Timed(function)
        clock = SystemClock()
        past: list[Event] = []
        texts: list[str] = []
        new = [_started(name, clock)]
        waiting: list[int] = []
        began = time.perf_counter()
        while True:
            turn = Turn(
                "floor",
                "floor",
                name,
                json.dumps({"n": n}),
                None,
                0,
                None,
                past,
                texts,
                new,
                clock.now(),
            )
            decision = run_episode(turn, sdk.call, self._table)
            past = [*past, *decision.events]
            texts += map(history.to_text, decision.events)
            if decision.status != "Running":
                return sdk.seconds, time.perf_counter() - began
            waiting += [item.id for item in decision.scheduled]
            done, waiting = waiting[:batch], waiting[batch:]
            new = [history.task_completed(clock.now(), task_id, "1") for task_id in done]


class _Timed:
    def __init__(self, function: Function) -> None:
        self._handle: Callable[[func.OrchestrationContext], str] = function.handler
        self.seconds = 0.0

    def call(self, body: str) -> str:
        began = time.perf_counter()
        try:
            return self._handle(func.OrchestrationContext(body))
        finally:
            self.seconds += time.perf_counter() - began


def _started(name: str, clock: SystemClock) -> Event:
    return history.execution_started(
        clock.now(),
        instance_id="floor",
        execution_id="floor",
        name=name,
        version=None,
        input_text=None,
    )
