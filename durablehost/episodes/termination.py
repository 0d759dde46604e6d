"""Ends a terminated instance without running its code, which does not end or cannot be run."""

import json
from dataclasses import replace

from durablehost.episodes.conclusion import reason_shown, to_parent
from durablehost.hub import history
from durablehost.hub.backend import Decision, OrchestrationWork
from durablehost.hub.clock import Clock


def is_terminated(work: OrchestrationWork) -> bool:
    """Whether a termination is among the new events."""
    return any(event["EventType"] == history.EXECUTION_TERMINATED for event in work.new)


def terminated_without_code(work: OrchestrationWork, clock: Clock) -> Decision:
    """The end of an instance with a termination among its new events."""
    now = clock.now()
    reasons = [e["Input"] for e in work.new if e["EventType"] == history.EXECUTION_TERMINATED]
    output = reason_shown(reasons[-1])
    instance = replace(work.instance, status="Terminated", output=output, updated=now)
    text = json.loads(output) if output is not None else None
    result = text if isinstance(text, str) else output
    event_id = 1 + max((event["EventId"] for event in work.past), default=-1)
    events = [
        history.orchestrator_started(now),
        *map(history.played, work.new),
        history.execution_completed(now, event_id, "Terminated", result),
        history.orchestrator_completed(now),
    ]
    decision = Decision(instance, events)
    if instance.parent is not None:
        event = history.sub_orchestration_failed(now, instance.parent.task_id, result, None)
        decision.messages.append(to_parent(instance.parent, event))
    return decision
