"""One instance taken from episode to episode by hand: no hub, no store, no clock that runs."""

import json
from collections.abc import Callable, Generator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import azure.durable_functions as df

from durablehost.app.functions import FunctionTable
from durablehost.app.loading import index_app
from durablehost.calling.invoker import Invoker
from durablehost.episodes.episode import run_episode
from durablehost.episodes.scheduled import CallActivity, CreateTimer, SendRequest
from durablehost.episodes.sdk_replay import Action
from durablehost.hub import history
from durablehost.hub.backend import Decision, Instance, OrchestrationWork, Parent, ScheduledTask
from durablehost.hub.clock import ManualClock
from durablehost.hub.history import Event, compact
from durablehost.settings import Settings

START = datetime(2026, 1, 1, tzinfo=UTC)
ANY_VERSION = Settings(version_match="None")
LATER = START + timedelta(hours=1)
Context = df.DurableOrchestrationContext
Flow = Generator[Any, Any, Any]  # what a generator function of an orchestrator gives
Orchestrator = Callable[[Context], Any]
_INVOKER = Invoker(threads=1, own_loop=False)


def app_with(orchestrator: Orchestrator | None = None) -> FunctionTable:
    """The orchestrator as `flow`, beside activities `act` and `other`, a `child`, a `counter`."""
    app = df.DFApp()
    for name in ("act", "other"):
        app.function_name(name)(app.activity_trigger(input_name="x")(lambda x: x))
    app.function_name("child")(app.orchestration_trigger(context_name="context")(lambda context: 1))
    app.function_name("counter")(app.entity_trigger(context_name="context")(lambda context: None))
    flow = orchestrator or (lambda context: None)
    app.function_name("flow")(app.orchestration_trigger(context_name="context")(flow))
    return index_app(app)


APP = app_with()


def scripted(*actions: Action, **state: Any) -> Callable[[str], str]:
    """An orchestrator whose state, as the SDK would return it, is written by hand."""
    written = {"isDone": False, "schemaVersion": 2, "actions": [list(actions)], **state}
    return lambda body: json.dumps(written)


class Episodes:
    """The episodes of one instance of an orchestrator, or of a state written by hand.

    `call` is what runs: put another in its place to change code under a running instance.
    """

    def __init__(
        self,
        orchestrator: Orchestrator | None = None,
        *,
        call: Callable[[str], str] | None = None,
        input: Any = None,
        generation: int = 0,
        parent_id: str | None = None,
        custom_status: str | None = None,
        version: str | None = None,
    ) -> None:
        self.table = app_with(orchestrator) if orchestrator else APP
        self.call = call
        if orchestrator is not None:
            self.call = call_of(self.table)
        self.past: list[Event] = []
        self.now = START
        self.bodies: list[Any] = []  # what the SDK was handed
        self._input = input
        self._generation = generation
        self._parent_id = parent_id
        self._custom_status = custom_status
        self._version = version

    def begin(self, *more: Event) -> Decision:
        """The first episode; more events may have come by then."""
        started = history.execution_started(
            self.now,
            instance_id="i",
            execution_id="x",
            name="flow",
            version=self._version,
            input_text=compact(self._input),
        )
        return self.next(started, *more)

    def next(self, *new: Event, after: timedelta = timedelta(seconds=1)) -> Decision:
        """The next episode, with these new events, some time later."""
        self.now += after
        texts = [history.to_text(event) for event in self.past]
        work = OrchestrationWork(self._instance(), self.past, texts, list(new), ())
        call = self._handed if self.call else None
        decision = run_episode(work, call, self.table, ManualClock(self.now), ANY_VERSION)
        self.past = [*self.past, *decision.events]
        self._custom_status = decision.instance.custom_status
        return decision

    def _instance(self) -> Instance:
        parent_id = self._parent_id
        return Instance(
            id="i",
            name="flow",
            version=self._version,
            execution_id="x",
            generation=self._generation,
            status="Running",
            input=compact(self._input),
            output=None,
            custom_status=self._custom_status,
            created=START,
            updated=self.now,
            parent=Parent(parent_id, "px", 0, "caller", None) if parent_id else None,
        )

    def _handed(self, body: str) -> str:
        self.bodies.append(json.loads(body))
        assert self.call is not None
        return self.call(body)


def call_of(table: FunctionTable, name: str = "flow") -> Callable[[str], str]:
    function = table.orchestrator(name)
    assert function is not None
    return partial(_INVOKER.orchestrate, function)


def batch_of(entity: Callable[[Any], None]) -> Callable[[str], str]:
    """What runs a batch of operations on an entity."""
    app = df.DFApp()
    app.function_name("counter")(app.entity_trigger(context_name="context")(entity))
    [function] = index_app(app).functions
    return partial(_INVOKER.operate, function)


# What comes in


def completed(task_id: int, value: Any = None) -> Event:
    return history.task_completed(START, task_id, json.dumps(value))


def failed(task_id: int, words: str = "broken") -> Event:
    return history.task_failed(START, task_id, words, "details")


def child_completed(task_id: int, value: Any = None) -> Event:
    return history.sub_orchestration_completed(START, task_id, json.dumps(value))


def child_failed(task_id: int, words: str = "broken") -> Event:
    return history.sub_orchestration_failed(START, task_id, words, "details")


def fired(timer_id: int) -> Event:
    return history.timer_fired(START, timer_id, START)


def raised(name: str, value: Any = None) -> Event:
    return history.event_raised(START, name, json.dumps(value))


def replied(request: ScheduledTask, value: Any = None, *, error: bool = False) -> Event:
    """The answer of an entity."""
    assert isinstance(request, SendRequest)
    failure = {"exceptionType": "Error"} if error else {}
    answer = json.dumps({"result": json.dumps(value), **failure})
    return history.event_raised(START, request.request_id, answer)


def suspended(reason: str = "") -> Event:
    return history.execution_suspended(START, reason)


def resumed(reason: str = "") -> Event:
    return history.execution_resumed(START, reason)


def terminated(reason: str = "") -> Event:
    return history.execution_terminated(START, reason)


# What was decided


def kinds(events: Sequence[Event]) -> list[str]:
    return [history.NAMES[event["EventType"]] for event in events]


def ids(decision: Decision) -> list[int]:
    return [item.id for item in decision.scheduled]


def called(decision: Decision) -> list[tuple[int, str]]:
    """The activities called: id and input."""
    return [(item.id, item.input) for item in decision.scheduled if isinstance(item, CallActivity)]


def timers(decision: Decision) -> list[tuple[int, timedelta]]:
    """The timers set: id, and how long after START they fire."""
    return [
        (item.id, item.fire_at - START)
        for item in decision.scheduled
        if isinstance(item, CreateTimer)
    ]


def output(decision: Decision) -> Any:
    assert decision.instance.output is not None
    return json.loads(decision.instance.output)


def problems(decision: Decision) -> list[str]:
    """The kinds of the problems."""
    return [problem.kind for problem in decision.problems]
