"""The lower limit: the time of the SDK's own replay of the same episodes, without a host."""

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Final

import azure.functions as func

from bench.sides import APP
from durablehost.app.functions import Function, FunctionTable
from durablehost.app.loading import load_app
from durablehost.episodes.episode import run_episode
from durablehost.episodes.scheduled import SendRequest
from durablehost.hub import history
from durablehost.hub.backend import Instance, OrchestrationWork, ScheduledTask, started
from durablehost.hub.clock import SystemClock
from durablehost.hub.history import Event
from durablehost.settings import Settings

# The goals are for a machine that takes so many seconds for the SDK's replay of three in a row.
_REFERENCE_SECONDS: Final = 0.00138
_PACE_SECONDS: Final = 0.1  # of replays, because a shared processor slows down and recovers


class Floor:
    """Runs an orchestrator episode by episode and adds up the time of the SDK."""

    def __init__(self) -> None:
        before = sys.path[:]
        self._table: FunctionTable = load_app(APP)
        sys.path[:] = before

    def seconds(self, name: str, n: int, batch: int) -> tuple[float, float]:
        """(the SDK's share, all of the episodes) with `batch` completions an episode."""
        function = self._table.orchestrator(name)
        assert function is not None
        sdk = _Timed(function)
        clock, settings = SystemClock(), Settings()
        instance = _instance(name, json.dumps({"n": n}), clock)
        past: list[Event] = []
        texts: list[str] = []
        new = [started(instance, clock.now())]
        waiting: list[ScheduledTask] = []
        began = time.perf_counter()
        while True:
            work = OrchestrationWork(instance, past, texts, new, ())
            decision = run_episode(work, sdk.call, self._table, clock, settings)
            past = [*past, *decision.events]
            texts += map(history.to_text, decision.events)
            if decision.instance.status != "Running":
                return sdk.seconds, time.perf_counter() - began
            waiting += decision.scheduled
            done, waiting = waiting[:batch], waiting[batch:]
            new = [_end_of(task, clock) for task in done]

    def pace(self) -> float:
        """How much slower this machine is at the moment than the one that the goals are for."""
        until = time.perf_counter() + _PACE_SECONDS
        taken = [self.seconds("chain", 3, 1)[0]]
        while time.perf_counter() < until:
            taken.append(self.seconds("chain", 3, 1)[0])
        return statistics.mean(taken) / _REFERENCE_SECONDS


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


def _end_of(task: ScheduledTask, clock: SystemClock) -> Event:
    """What an activity or an entity answers."""
    if isinstance(task, SendRequest):
        return history.event_raised(clock.now(), task.request_id, json.dumps({"result": "1"}))
    return history.task_completed(clock.now(), task.id, "1")


def _instance(name: str, input_text: str, clock: SystemClock) -> Instance:
    now = clock.now()
    return Instance(
        id="floor",
        name=name,
        version=None,
        execution_id="floor",
        generation=0,
        status="Running",
        input=input_text,
        output=None,
        custom_status=None,
        created=now,
        updated=now,
    )
