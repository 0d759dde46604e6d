"""What an episode comes to: the walk and what the SDK returned, as a decision."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from durablehost.episodes.scheduled import Scheduled, Sender
from durablehost.episodes.sdk_replay import OrchestratorState, words_of_failure
from durablehost.episodes.walk import Walk
from durablehost.hub import history
from durablehost.hub.backend import (
    Decision,
    Instance,
    Message,
    OrchestrationWork,
    Parent,
    started,
)
from durablehost.hub.history import Event, compact, failed_function


@dataclass(frozen=True, slots=True)
class Conclusion:
    """An episode after its walk, from which the decision follows."""

    work: OrchestrationWork
    new: list[Event]  # the events of this episode
    state: OrchestratorState
    walk: Walk
    began: datetime
    ended: datetime
    due: Callable[[datetime, datetime], datetime]  # when a timer fires, as `Clock.due` says
    default_version: str | None

    def decision(self) -> Decision:
        """All that has to be saved and sent."""
        status, output = self.status()
        if status == "ContinuedAsNew":
            return self._next_generation()
        instance = replace(
            self.work.instance,
            status=status,
            output=output,
            custom_status=self._custom_status(),
            updated=self.ended,
        )
        decision = Decision(
            instance,
            self._events(instance),
            completions_needed=self.walk.completions_needed,
            failure=self._failure(instance),
        )
        self._send_scheduled(decision)
        if instance.ended and instance.parent is not None:
            decision.messages.append(self._end_for(instance.parent, instance))
        return decision

    def status(self) -> tuple[str, str | None]:
        """The status and the output. After `ContinuedAsNew` comes a new generation."""
        walk = self.walk
        if walk.terminated is not None:
            return "Terminated", reason_shown(walk.terminated)
        if walk.fault is not None:
            return "Failed", compact(str(walk.fault))
        if not walk.tasks.open:
            if walk.refusal is not None:
                return "Failed", compact(words_of_failure(self.work.instance.name, walk.refusal))
            if walk.at_end and self.state.error is not None:
                return "Failed", compact(self.state.error)
            if walk.at_end and self.state.done:
                if walk.continued is not None:
                    return "ContinuedAsNew", None
                return "Completed", compact(self.state.output)
        if walk.steered is None:
            return "Running", None
        return "Suspended" if walk.suspended else "Running", reason_shown(walk.steered["Reason"])

    def _custom_status(self) -> str | None:
        if self.state.custom_status is not None:
            return compact(self.state.custom_status)
        instance = self.work.instance
        first = not self.work.past and instance.generation
        return instance.custom_status if first else None

    def _events(self, instance: Instance) -> list[Event]:
        """The events to append to the history."""
        events = [history.played(event) for event in self.new]
        events += [task.event(self.began, instance) for task in self._scheduled()]
        if instance.ended:
            task_id, result = self.walk.tasks.take_id(), self._result(instance.output)
            events.append(history.execution_completed(self.began, task_id, instance.status, result))
        if events[-1]["EventType"] != history.ORCHESTRATOR_COMPLETED:
            events.append(history.orchestrator_completed(self.began))
        return events

    def _result(self, output: str | None) -> str | None:
        """The history has a failure as plain text, and a result as JSON."""
        if output is None or (self.state.done and self.walk.fault is None):
            return output
        value = json.loads(output)
        return value if isinstance(value, str) else output

    def _next_generation(self) -> Decision:
        instance = replace(
            self.work.instance,
            execution_id=uuid.uuid4().hex,
            generation=self.work.instance.generation + 1,
            status="Running",
            input=compact(self.walk.continued),
            output=None,
            custom_status=self._custom_status(),
            created=self.ended,
            updated=self.ended,
        )
        decision = Decision(instance, new_generation=True)
        self._send_scheduled(decision)  # signals sent in the same episode
        first = [started(instance, self.ended), *self.walk.carried]
        decision.messages += [Message(instance.id, event, instance.execution_id) for event in first]
        return decision

    def _failure(self, instance: Instance) -> str | None:
        """Why the instance failed. A problem says where the code no longer fits the history."""
        if instance.status != "Failed" or self.walk.fault is not None:
            return None
        return self.state.cause or json.loads(instance.output or "null")

    def _end_for(self, parent: Parent, child: Instance) -> Message:
        """The message that tells a parent how its child ended."""
        if child.status == "Completed":
            event = history.sub_orchestration_completed(self.ended, parent.task_id, child.output)
        else:
            words = json.loads(child.output or "null")
            reason = words if isinstance(words, str) else child.output
            details = self._details(reason) if child.status == "Failed" else None
            event = history.sub_orchestration_failed(self.ended, parent.task_id, reason, details)
        return to_parent(parent, event)

    def _details(self, reason: str | None) -> str:
        """What the host tells a parent beside the reason of a child's failure."""
        if self.walk.fault is not None:
            return self.walk.fault.details()
        words = (reason or "").partition(" failed: ")[2]
        if self.state.is_refused:
            return compact(failed_function(words))
        return f"Message: {words}, StackTrace: "

    # What was scheduled

    def _scheduled(self) -> list[Scheduled]:
        scheduled = self.walk.tasks.scheduled
        return [scheduled[task_id] for task_id in sorted(scheduled)]

    def _send_scheduled(self, decision: Decision) -> None:
        decision.scheduled = self._scheduled()
        sender = Sender(self.work.instance, self.ended, self.due, self.default_version)
        for task in decision.scheduled:
            task.send(decision, sender)


def reason_shown(reason: str) -> str | None:
    """A reason as the status shows it: parsed if it is JSON, else as it is."""
    if not reason:
        return None
    try:
        return compact(json.loads(reason))
    except (ValueError, RecursionError):
        return compact(reason)


def to_parent(parent: Parent, event: Event) -> Message:
    """An event for the execution that waits for a child."""
    return Message(parent.instance_id, event, parent.execution_id)
