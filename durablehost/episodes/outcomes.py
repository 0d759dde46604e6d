"""Turns a piece of work into its outcome. The engine and the test hub both work by these."""

import json
import uuid
from collections.abc import Callable
from dataclasses import replace

from durablehost.app.functions import Known
from durablehost.episodes import versions
from durablehost.episodes.episode import Decision, run_episode
from durablehost.episodes.scheduled import (
    CallActivity,
    CallChild,
    CreateTimer,
    Scheduled,
    SendRequest,
    request_input,
)
from durablehost.episodes.sdk_turn import Turn
from durablehost.hub import history, problems
from durablehost.hub.backend import (
    EntityWork,
    Instance,
    Message,
    NewActivity,
    OrchestrationWork,
    Outcome,
    Parent,
)
from durablehost.hub.client import started, state_of
from durablehost.hub.clock import Clock
from durablehost.hub.history import EXTENSION, Event, compact
from durablehost.hub.problems import Problem
from durablehost.settings import Settings


class NotForThisApp(Exception):
    """The instance has a version that this app does not run; it stays as it is."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem


def orchestrate(
    work: OrchestrationWork,
    call: Callable[[str], str] | None,
    table: Known,
    clock: Clock,
    settings: Settings,
) -> Outcome:
    """Run one episode. `call` is the orchestrator, None where nobody has it."""
    instance = work.instance
    if not versions.runs_here(instance.version, settings.default_version, settings.version_match):
        return _of_other_version(work, clock, settings)
    now = clock.now()
    turn = Turn(
        instance_id=instance.id,
        execution_id=instance.execution_id,
        name=instance.name,
        input=instance.input,
        parent_id=instance.parent.instance_id if instance.parent else None,
        generation=instance.generation,
        custom_status=instance.custom_status,
        past=work.past,
        past_texts=work.past_texts,
        new=work.new,
        now=now,
    )
    return _Episode(instance, run_episode(turn, call, table), clock, settings).outcome()


def _of_other_version(work: OrchestrationWork, clock: Clock, settings: Settings) -> Outcome:
    instance = work.instance
    if settings.version_failure == "Reject":
        raise NotForThisApp(
            problems.version_never_runs(
                instance.version, settings.default_version, settings.version_match
            )
        )
    now = clock.now()
    output = compact(versions.MISMATCH)
    failed = replace(instance, status="Failed", output=output, updated=now)
    events = [history.orchestrator_started(now), *map(history.played, work.new)]
    events.append(history.execution_completed(now, 0, "Failed", versions.MISMATCH))
    outcome = Outcome(failed, events)
    if instance.parent is not None:
        task_id = instance.parent.task_id
        event = history.sub_orchestration_failed(now, task_id, None, None)
        outcome.messages.append(_to_parent(instance.parent, event))
    return outcome


class _Episode:
    """From a decision to what has to be saved and sent."""

    def __init__(
        self, instance: Instance, decision: Decision, clock: Clock, settings: Settings
    ) -> None:
        self._instance = instance
        self._decision = decision
        self._clock = clock
        self._settings = settings
        self._now = clock.now()

    def outcome(self) -> Outcome:
        decision = self._decision
        if decision.status == "ContinuedAsNew":
            return self._next_generation()
        instance = replace(
            self._instance,
            status=decision.status,
            output=decision.output,
            custom_status=decision.custom_status,
            updated=self._now,
        )
        outcome = Outcome(
            instance,
            decision.events,
            problems=decision.problems,
            least=decision.least,
        )
        for item in decision.scheduled:
            self._send(item, outcome)
        if instance.ended and instance.parent is not None:
            outcome.messages.append(self._end_for(instance.parent))
        return outcome

    def _next_generation(self) -> Outcome:
        decision = self._decision
        instance = replace(
            self._instance,
            execution_id=uuid.uuid4().hex,
            generation=self._instance.generation + 1,
            status="Running",
            input=compact(decision.next_input),
            output=None,
            custom_status=decision.custom_status,
            created=self._now,
            updated=self._now,
        )
        outcome = Outcome(instance, problems=decision.problems, new_generation=True)
        for item in decision.scheduled:  # signals sent in the same breath
            self._send(item, outcome)
        first = [started(instance, self._now), *decision.carried]
        outcome.messages += [Message(instance.id, event, instance.execution_id) for event in first]
        return outcome

    def _send(self, item: Scheduled, outcome: Outcome) -> None:
        if isinstance(item, CallActivity):
            outcome.activities.append(NewActivity(item.id, item.name, item.input))
        elif isinstance(item, CreateTimer):
            outcome.messages.append(self._timer(item))
        elif isinstance(item, CallChild):
            outcome.children.append(self._child(item))
        else:
            outcome.messages.append(self._request(item))

    def _timer(self, item: CreateTimer) -> Message:
        due = self._clock.due(item.fire_at, self._now)
        event = history.timer_fired(self._now, item.id, item.fire_at)
        return Message(self._instance.id, event, self._instance.execution_id, due)

    def _child(self, item: CallChild) -> tuple[Instance, Message]:
        parent = self._instance
        version = self._settings.default_version if item.version is None else item.version
        child = Instance(
            id=item.instance_id,
            name=item.name,
            version=version,
            execution_id=uuid.uuid4().hex,
            generation=0,
            status="Pending",
            input=compact(item.input),
            output=None,
            custom_status=None,
            created=self._now,
            updated=self._now,
            parent=Parent(parent.id, parent.execution_id, item.id, parent.name, parent.version),
        )
        return child, Message(child.id, started(child, self._now), child.execution_id)

    def _request(self, item: SendRequest) -> Message:
        request = {
            "op": item.operation,
            "signal": item.signal,
            "input": request_input(item),
            "id": item.request_id,
            "parent": self._instance.id,
            "parentExecution": self._instance.execution_id,
        }
        return Message(item.target, request)

    def _end_for(self, parent: Parent) -> Message:
        decision = self._decision
        if decision.status == "Completed":
            event = history.sub_orchestration_completed(self._now, parent.task_id, decision.output)
        else:
            words = json.loads(decision.output or "null")
            reason = words if isinstance(words, str) else decision.output
            details = _details_of_child(reason) if decision.status == "Failed" else None
            event = history.sub_orchestration_failed(self._now, parent.task_id, reason, details)
        return _to_parent(parent, event)


def _to_parent(parent: Parent, event: Event) -> Message:
    return Message(parent.instance_id, event, parent.execution_id)


def _details_of_child(reason: str | None) -> str:
    words = (reason or "").partition(" failed: ")[2]
    return f"Message: {words}, StackTrace: "


def operate(work: EntityWork, call: Callable[[str], str], clock: Clock) -> Outcome:
    """Run a batch of operations on one entity, in order."""
    answer = json.loads(call(_batch(work)))
    now = clock.now()
    exists = answer["entityExists"]
    kept = {"exists": True} if exists else {}
    before = work.instance
    instance = Instance(
        id=work.id,
        name=work.id,
        version=None,
        execution_id=before.execution_id if before else uuid.uuid4().hex,
        generation=0,
        status="Running",
        input=compact({**kept, "state": answer["entityState"], "sorter": {}}),
        output=None,
        custom_status='{"entityExists":true}' if exists else "{}",
        created=before.created if before else now,
        updated=now,
    )
    outcome = Outcome(instance)
    for request, result in zip(work.requests, answer["results"], strict=True):
        if not request["signal"]:
            outcome.messages.append(_reply(request, result, clock))
        elif result["isError"] and not _readable(request["input"]):
            outcome.problems.append(problems.unreadable_signal(request["op"], request["input"]))
    return outcome


def _batch(work: EntityWork) -> str:
    _, name, key = work.id.split("@", 2)
    kept = json.loads(work.instance.input or "{}") if work.instance else {}
    exists = bool(kept.get("exists"))
    return json.dumps(
        {
            "self": {"name": name, "key": key},
            "exists": exists,
            "state": state_of(work.instance) if work.instance and exists else None,
            "batch": [
                {
                    "name": request["op"],
                    "input": request["input"],
                    "isSignal": request["signal"],
                    "id": request["id"],
                }
                for request in work.requests
            ],
        }
    )


def _reply(request: Event, result: Event, clock: Clock) -> Message:
    failed = {"exceptionType": "Error"} if result["isError"] else {}
    answer = {"$type": f"{EXTENSION}.ResponseMessage, {EXTENSION}", "result": result["result"]}
    event = history.event_raised(clock.now(), request["id"], compact({**answer, **failed}))
    return Message(request["parent"], event, request["parentExecution"])


def _readable(input_text: str | None) -> bool:
    """Whether an entity's `get_input()` can read it: JSON text that holds JSON text."""
    try:
        json.loads(json.loads(input_text or ""))
    except (ValueError, TypeError, RecursionError):
        return False
    return True
