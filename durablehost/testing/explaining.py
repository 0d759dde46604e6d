"""Explains why an instance failed, and what it waits for, for readers of a failed test."""

import json
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from durablehost.app.functions import Function, FunctionTable
from durablehost.app.source import last_place
from durablehost.episodes.scheduled import HTTP_ACTIVITY
from durablehost.episodes.sdk_replay import replay_by_sdk
from durablehost.episodes.waited_for import Waits, waits_of
from durablehost.episodes.walk import Walk
from durablehost.hub import history
from durablehost.hub.backend import Backend, Instance, OrchestrationWork
from durablehost.hub.client import entity_id
from durablehost.hub.clock import Clock
from durablehost.hub.history import Event
from durablehost.testing.calls import Call

_FAILED: Final = (history.TASK_FAILED, history.SUB_ORCHESTRATION_FAILED)
_FRAME: Final = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')
_LONGEST: Final = 200  # characters of a value that is shown


class Explainer:
    """Reads the histories of instances, and replays the code to find out more."""

    def __init__(
        self,
        backend: Backend,
        table: FunctionTable,
        clock: Clock,
        orchestrate: Callable[[Function, str], str],
        raised: Mapping[str, BaseException],
        calls: Sequence[Call],
    ) -> None:
        """`raised` has what the orchestrators of instances raised last, by instance id."""
        self._backend = backend
        self._table = table
        self._clock = clock
        self._orchestrate = orchestrate
        self._raised = raised
        self._calls = calls
        self._is_open = True

    def close(self) -> None:
        """Note that the store is closed: only the status is known from now on."""
        self._is_open = False

    def describe(self, instance: Instance) -> str:
        """The state of an instance in one line."""
        line = f"{instance.name} '{instance.id}' {instance.status}"
        if not self._is_open:
            return line
        instance = self._backend.instance(instance.id) or instance
        line = f"{instance.name} '{instance.id}' {instance.status}"
        if instance.status == "Completed":
            return f"{line}: {_shown(instance.output)}"
        if instance.ended:
            return f"{line}: {first_line(_text_of(instance.output))}"
        status = f", custom status {_shown(instance.custom_status)}"
        return f"{line}{status if instance.custom_status else ''}, waits for {self.waits(instance)}"

    def explain(self, instance: Instance) -> str:
        """The state and the reasons for it, in several lines."""
        lines = [self.describe(instance)]
        if not self._is_open:
            return lines[0]
        instance = self._backend.instance(instance.id) or instance
        if instance.status == "Failed":
            lines += [f"  {line}" for line in self._causes(instance)]
        for problem in self._backend.problems(instance.id):
            lines.append(f"  problem noticed ({problem.kind}): it {problem.text}")
        return "\n".join(lines)

    # Why it failed

    def _causes(self, instance: Instance) -> Iterator[str]:
        if raised := self._raised.get(instance.id):
            frames = traceback.extract_tb(raised.__traceback__)
            if place := last_place([(frame.filename, frame.lineno or 0) for frame in frames]):
                yield f"raised by the orchestrator at {place}"
        events = self._backend.history(instance.id)
        words = _text_of(instance.output)
        failed = [event for event in events if event["EventType"] in _FAILED]
        for event in reversed(failed):
            if first_line(event["Reason"] or "") in words:
                yield from self._cause_of(event, events)
                return
        for call in reversed(self._calls):
            of_entity = call.kind == "entity" and call.instance_id == instance.id
            if of_entity and call.error and call.error in words:
                entity = entity_id(call.name, call.key or "")
                yield f"operation '{call.operation}' of the entity '{entity}' failed"
                return

    def _cause_of(self, failed: Event, events: list[Event]) -> Iterator[str]:
        """Name the activity or child that failed, and the line."""
        scheduled = next(
            (
                event
                for event in events
                if event["EventId"] == failed["TaskScheduledId"]
                and event["EventType"]
                in (history.TASK_SCHEDULED, history.SUB_ORCHESTRATION_CREATED)
            ),
            None,
        )
        if scheduled is None:
            return
        if scheduled["EventType"] == history.TASK_SCHEDULED:
            place = _place_in(failed["Details"])
            named = "call_http" if scheduled["Name"] == HTTP_ACTIVITY else scheduled["Name"]
            yield f"activity '{named}' failed{f' at {place}' if place else ''}"
            return
        child = self._backend.instance(scheduled["InstanceId"])
        if child is not None:
            yield from self.explain(child).split("\n")

    # What it waits for

    def waits(self, instance: Instance) -> Waits:
        """What the code of an instance waits for, found by a replay."""
        past = self._backend.history(instance.id)
        function = self._table.orchestrator(instance.name)
        if instance.ended or not past or function is None:
            return Waits()
        work = OrchestrationWork(instance, past, [history.to_text(event) for event in past], [], ())
        state = replay_by_sdk(work, [], partial(self._orchestrate, function))
        walk = Walk(state.actions, self._table, instance)
        walk.follow(past)
        return waits_of(walk, self._clock.now())


def first_line(text: str) -> str:
    """The message of a failure without the host's JSON and stack traces."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _text_of(output: str | None) -> str:
    value = json.loads(output or '""')
    return value if isinstance(value, str) else json.dumps(value)


def _shown(text: str | None) -> str:
    text = text or "null"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _place_in(details: str | None) -> str | None:
    """The line where a function of the app failed, from the stack trace in the host's exception."""
    try:
        stack = json.loads(details or "null")["InnerException"]["StackTrace"] or ""
    except (ValueError, TypeError, KeyError):
        return None
    return last_place([(found["file"], int(found["line"])) for found in _FRAME.finditer(stack)])
