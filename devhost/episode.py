"""One episode of an orchestration: history and new events in, a decision out.

No I/O, no clock, no logging. The orchestrator is called once, through the SDK, with the history as
JSON; then the host's own walk through the actions (`actions.py`) says what is really scheduled.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from devhost import diagnosis, history
from devhost.actions import (
    Action,
    CallActivity,
    CallChild,
    CreateTimer,
    Known,
    NonDeterministic,
    Scheduled,
    SendRequest,
    Walk,
)
from devhost.diagnosis import Finding
from devhost.functions import Kind, no_such_function
from devhost.history import EXTENSION, Event, compact

_ERROR_LABEL = "\n\n$OutOfProcData$:"
_STATUS_LIMIT_KB = 16
_KINDS: dict[str, Kind] = {
    "orchestrator": "orchestration",
    "activity": "activity",
    "entity": "entity",
}
_CONSTANTS = (
    '"upperSchemaVersion": 1, "upperSchemaVersionNew": 3,'
    ' "longRunningTimerIntervalDuration": "3.00:00:00",'
    ' "maximumShortTimerDuration": "6.00:00:00",'
    ' "defaultHttpAsyncRequestSleepTimeMillseconds": 30000'
)


@dataclass(frozen=True, slots=True)
class Turn:
    """What an episode starts from."""

    instance_id: str
    execution_id: str
    name: str
    input: str | None  # JSON text
    parent_id: str | None
    generation: int | None
    custom_status: str | None  # JSON text, as it was before
    past: Sequence[Event]
    past_texts: Sequence[str]  # the same as JSON, so that no event is written twice
    new: Sequence[Event]
    now: datetime


@dataclass(slots=True)
class Decision:
    """What an episode decided. A backend saves all of it or none of it."""

    events: list[Event]  # to append to the history
    status: str
    output: str | None  # JSON text
    custom_status: str | None  # JSON text
    scheduled: list[Scheduled]
    findings: list[Finding] = field(default_factory=list)
    next_input: str | None = None  # continue_as_new: JSON text of the next generation's input
    carried: list[Event] = field(default_factory=list)  # events the next generation begins with
    least: int = 1  # how many completions it takes until something can come of them


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the SDK said."""

    actions: list[Action]
    done: bool
    output: Any = None
    error: str | None = None
    custom_status: Any = None
    raised: str | None = None  # words of a failure that came without actions


def run_episode(turn: Turn, orchestrate: Callable[[str], str] | None, table: Known) -> Decision:
    """Run the orchestrator once over its history. `orchestrate` is None for a name nobody has."""
    new = [history.orchestrator_started(turn.now), *turn.new]
    if not turn.past and turn.generation:
        # After continue_as_new the host closes the first episode before it calls the code.
        new.append(history.orchestrator_completed(turn.now))
    if orchestrate is None:
        words = no_such_function("orchestrator", turn.name, table.durable_names("orchestration"))
        answer = _failed(turn.name, words)
    else:
        answer = _ask(turn, new, orchestrate)
    walk = Walk(answer.actions, table, turn.instance_id, turn.execution_id, turn.parent_id)
    fault = _replay(walk, [*turn.past, *new])
    return _Conclusion(turn, new, answer, walk, fault, table).decide()


def _replay(walk: Walk, events: Sequence[Event]) -> NonDeterministic | None:
    """Feed the history; the fault where the code no longer fits it."""
    try:
        for event in events:
            walk.feed(event)
    except NonDeterministic as fault:
        return fault
    return None


def _ask(turn: Turn, new: Sequence[Event], orchestrate: Callable[[str], str]) -> _Answer:
    try:
        state = json.loads(orchestrate(_body(turn, new)))
    except Exception as error:  # whatever the app's code raises is the orchestration's failure
        words = _words_of(error)
        _, label, state_text = words.partition(_ERROR_LABEL)
        if not label:
            return _failed(turn.name, _bare_failure(error, words))
        state = json.loads(state_text)
    status = state.get("customStatus")
    if (size := _status_kilobytes(status)) > _STATUS_LIMIT_KB:
        return _failed(
            turn.name,
            "The UTF-16 size of the JSON-serialized payload must not exceed 16 KB."
            f" The current payload size is {size} KB.",
        )
    error_text = state.get("error")
    return _Answer(
        state["actions"][0],
        state["isDone"],
        state.get("output"),
        _words_of_failure(turn.name, error_text) if error_text else None,
        status,
    )


def _body(turn: Turn, new: Sequence[Event]) -> str:
    events = ", ".join([*turn.past_texts, *(json.dumps(event) for event in new)])
    return (
        f'{{"history": [{events}], "input": {turn.input or "null"},'
        f' "instanceId": {json.dumps(turn.instance_id)},'
        f' "isReplaying": {"true" if turn.past else "false"},'
        f' "parentInstanceId": {json.dumps(turn.parent_id)}, {_CONSTANTS}}}'
    )


def _failed(name: str, words: str) -> _Answer:
    return _Answer([], done=False, error=_words_of_failure(name, words), raised=words)


def _words_of_failure(name: str, words: str) -> str:
    return f"Orchestrator function '{name}' failed: {words}"


def _words_of(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # code of the app, as the exception's class is; the words are the worker's
        return "Unhandled exception in function. Could not serialize original exception message."


def _bare_failure(error: Exception, words: str) -> str:
    """The host's words for an exception that did not come through the SDK's own reporting."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f'  File "{code.co_filename}", line {trace.tb_lineno}, in {code.co_name}')
        trace = trace.tb_next
    stack = "\n".join(frames)
    return (
        "One or more errors occurred. (Result: Failure\n"
        f"Exception: {type(error).__name__}: {words}\nStack: {stack})"
    )


def _status_kilobytes(status: Any) -> int:
    return 0 if status is None else len(compact(status).encode("utf-16-le")) // 1024


@dataclass(frozen=True, slots=True)
class _Conclusion:
    turn: Turn
    new: list[Event]
    answer: _Answer
    walk: Walk
    fault: NonDeterministic | None
    table: Known

    def decide(self) -> Decision:
        status, output = self._outcome()
        scheduled = [self.walk.scheduled[task_id] for task_id in sorted(self.walk.scheduled)]
        now = self.turn.now
        events = [history.played(event) for event in self.new]
        events += [_as_event(item, self.turn, now) for item in scheduled]
        decision = Decision(events, status, output, self._custom_status(), scheduled)
        decision.findings = list(self._findings(status))
        decision.least = self.walk.least
        if status == "ContinuedAsNew":
            decision.next_input = self.walk.continued
            decision.carried = self.walk.carried
            return decision
        if status not in ("Running", "Suspended"):
            result = self._result_text(output)
            events.append(history.execution_completed(now, self.walk.take_id(), status, result))
        if events[-1]["EventType"] != history.ORCHESTRATOR_COMPLETED:
            events.append(history.orchestrator_completed(now))
        return decision

    def _outcome(self) -> tuple[str, str | None]:
        walk = self.walk
        if walk.terminated is not None:
            return "Terminated", _reason(walk.terminated)
        if self.fault is not None:
            return "Failed", compact(str(self.fault))
        if not walk.open:
            if walk.refusal is not None:
                return "Failed", compact(_words_of_failure(self.turn.name, walk.refusal))
            if walk.at_end and self.answer.error is not None:
                return "Failed", compact(self.answer.error)
            if walk.at_end and self.answer.done:
                if walk.continued is not None:
                    return "ContinuedAsNew", None
                return "Completed", compact(self.answer.output)
        return self._going_on()

    def _going_on(self) -> tuple[str, str | None]:
        steered = self.walk.steered
        if steered is None:
            return "Running", None
        return "Suspended" if self.walk.suspended else "Running", _reason(steered["Reason"])

    def _result_text(self, output: str | None) -> str | None:
        """In the history the words of a failure stand as they are, a result as JSON."""
        if output is None or (self.answer.done and self.fault is None):
            return output
        value = json.loads(output)
        return value if isinstance(value, str) else output

    def _custom_status(self) -> str | None:
        if self.answer.custom_status is not None:
            return compact(self.answer.custom_status)
        first = not self.turn.past and self.turn.generation
        return self.turn.custom_status if first else None

    # What the real host would not say

    def _findings(self, status: str) -> Sequence[Finding]:
        found = [self._unknown(kind, name) for kind, name in self.walk.unknown]
        found += [_dropped(name, why) for name, why in self.walk.dropped]
        found += self._of_replay()
        found += self._of_timers()
        if not self.turn.past:
            found += self._of_input()
        found += self._of_events()
        size = _status_kilobytes(self.answer.custom_status)
        if diagnosis.NEAR_STATUS_LIMIT_KB <= size <= _STATUS_LIMIT_KB:
            found.append(diagnosis.big_custom_status(size))
        if status == "Running":
            found += self._of_waiting()
        return found

    def _unknown(self, kind: str, name: str) -> Finding:
        of_kind = _KINDS[kind]
        return diagnosis.unknown_function(
            kind, name, self.table.durable_names(of_kind), self.table.why_left_out(of_kind, name)
        )

    def _of_replay(self) -> list[Finding]:
        if self.fault is not None:
            return [self._of_fault(self.fault)]
        for event, scheduled in self.walk.matched:
            name = event.get("Name")
            now = str(getattr(scheduled, "name", name))
            if event["EventType"] != history.EVENT_SENT and name and name.lower() != now.lower():
                return [diagnosis.replay_differs(f"a call of '{name}'", f"calls '{now}'")]
        return []

    def _of_fault(self, fault: NonDeterministic) -> Finding:
        if self.answer.raised is not None:
            return Finding(
                "replay-cut-short",
                "",
                "raised where the SDK tells the host no actions, so that on Azure it fails with"
                f" 'Non-Deterministic workflow detected' instead of this: {self.answer.raised}",
            )
        had = _described_in_history(fault.event)
        does = (
            "does not do it" if fault.instead is None else f"has {_describe(fault.instead)} there"
        )
        return diagnosis.replay_differs(had, does)

    def _of_timers(self) -> list[Finding]:
        now = self.turn.now
        return [
            diagnosis.short_timer(timer.fire_at, now)
            for timer in self.walk.scheduled.values()
            if isinstance(timer, CreateTimer) and 0 < (timer.fire_at - now).total_seconds() < 1
        ]

    def _of_input(self) -> list[Finding]:
        value = json.loads(self.turn.input or "null")
        if value is None or isinstance(value, dict):
            return []
        if isinstance(value, str):
            try:
                json.loads(value)
            except ValueError:
                return [diagnosis.unreadable_input(value)]
            return []
        return [diagnosis.unreadable_input(value)]

    def _of_events(self) -> list[Finding]:
        return [
            diagnosis.event_in_other_case(sent, waited_for)
            for sent, waited_for in self.walk.misheard
        ]

    def _of_waiting(self) -> list[Finding]:
        walk = self.walk
        if self.answer.done or self.answer.error is not None:
            keeping = [_describe(item) for item in walk.open.values()]
            if not walk.at_end:
                keeping += [f"the wait for another event '{name}'" for name in walk.expected]
            return [diagnosis.kept_running(keeping)]
        return [diagnosis.cannot_go_on()] if walk.at_end and not walk.open else []


def _reason(reason: str) -> str | None:
    """A reason as status shows it: the JSON it holds, or itself."""
    if not reason:
        return None
    try:
        return compact(json.loads(reason))
    except ValueError:
        return compact(reason)


def _describe(item: Scheduled) -> str:
    if isinstance(item, CallActivity):
        return f"activity '{item.name}'"
    if isinstance(item, CallChild):
        return f"sub-orchestration '{item.name}' ({item.instance_id})"
    if isinstance(item, CreateTimer):
        return f"the timer for {history.stamp(item.fire_at)}"
    return f"a request to {item.target}"


def _described_in_history(event: Event) -> str:
    kind, number = event["EventType"], event["EventId"]
    if kind == history.TIMER_CREATED:
        return f"a timer as its step {number}"
    if kind == history.EVENT_SENT:
        return f"a request to {event['InstanceId']} as its step {number}"
    what = "activity" if kind == history.TASK_SCHEDULED else "sub-orchestration"
    return f"{what} '{event['Name']}' as its step {number}"


def _dropped(name: str, why: str) -> Finding:
    return Finding(
        "dropped-call",
        name,
        f"calls '{name}', and the host drops the call without a word: {why}."
        " The instance waits for it for ever, as on Azure.",
    )


def _as_event(item: Scheduled, turn: Turn, now: datetime) -> Event:
    if isinstance(item, CallActivity):
        return history.task_scheduled(now, item.id, item.name)
    if isinstance(item, CallChild):
        return history.sub_orchestration_created(
            now, item.id, item.name, item.version, item.instance_id
        )
    if isinstance(item, CreateTimer):
        return history.timer_created(now, item.id, item.fire_at)
    return history.event_sent(now, item.id, item.target, "op", request_text(item, turn, now))


def request_input(item: SendRequest) -> str:
    """An operation's input as the entity gets it: JSON text that holds JSON text."""
    return compact(item.input)


def request_text(item: SendRequest, turn: Turn, now: datetime) -> str:
    """The request message of an entity operation, as it stands in the history."""
    sent = {"signal": True} if item.signal else {}
    return compact(
        {
            "$type": f"{EXTENSION}.RequestMessage, {EXTENSION}",
            "op": item.operation,
            **sent,
            "input": request_input(item),
            "id": item.request_id,
            "parent": turn.instance_id,
            "parentExecution": turn.execution_id,
            "Timestamp": history.stamp(now),
            "Predecessor": "0001-01-01T00:00:00",
            "requestTime": history.stamp(now)[:-1] + "+00:00",
        }
    )
