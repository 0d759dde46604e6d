"""One episode of an orchestration: history and new events in, a decision out.

No I/O, no clock, no logging. The orchestrator is called once, through the SDK, with the history as
JSON; then the host's own walk through the actions (`actions.py`) says what is really scheduled.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from durablehost.app.functions import Known, no_such_function
from durablehost.episodes.changed_code import NonDeterministic
from durablehost.episodes.episode_problems import problems_of
from durablehost.episodes.scheduled import Scheduled, as_event
from durablehost.episodes.sdk_turn import Answer, Turn, ask, failed, words_of_failure
from durablehost.episodes.walk import Walk
from durablehost.hub import history
from durablehost.hub.history import Event, compact
from durablehost.hub.problems import Problem


@dataclass(slots=True)
class Decision:
    """What an episode decided. A backend saves all of it or none of it."""

    events: list[Event]  # to append to the history
    status: str
    output: str | None  # JSON text
    custom_status: str | None  # JSON text
    scheduled: list[Scheduled]
    problems: list[Problem] = field(default_factory=list)
    next_input: str | None = None  # continue_as_new: JSON text of the next generation's input
    carried: list[Event] = field(default_factory=list)  # events the next generation begins with
    least: int = 1  # how many completions it takes until something can come of them


def run_episode(turn: Turn, orchestrate: Callable[[str], str] | None, table: Known) -> Decision:
    """Run the orchestrator once over its history. `orchestrate` is None for a name nobody has."""
    new = [history.orchestrator_started(turn.now), *turn.new]
    if not turn.past and turn.generation:
        # After continue_as_new the host closes the first episode before it calls the code.
        new.append(history.orchestrator_completed(turn.now))
    if orchestrate is None:
        words = no_such_function("orchestrator", turn.name, table.durable_names("orchestration"))
        answer = failed(turn.name, words)
    else:
        answer = ask(turn, new, orchestrate)
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


@dataclass(frozen=True, slots=True)
class _Conclusion:
    turn: Turn
    new: list[Event]
    answer: Answer
    walk: Walk
    fault: NonDeterministic | None
    table: Known

    def decide(self) -> Decision:
        status, output = self._outcome()
        scheduled = [
            self.walk.tasks.scheduled[task_id] for task_id in sorted(self.walk.tasks.scheduled)
        ]
        now = self.turn.now
        events = [history.played(event) for event in self.new]
        events += [
            as_event(item, now, self.turn.instance_id, self.turn.execution_id) for item in scheduled
        ]
        decision = Decision(events, status, output, self._custom_status(), scheduled)
        decision.problems = problems_of(
            self.turn, self.answer, self.walk, self.fault, self.table, status
        )
        decision.least = self.walk.least
        if status == "ContinuedAsNew":
            decision.next_input = self.walk.continued
            decision.carried = self.walk.carried
            return decision
        if status not in ("Running", "Suspended"):
            result = self._result_text(output)
            events.append(
                history.execution_completed(now, self.walk.tasks.take_id(), status, result)
            )
        if events[-1]["EventType"] != history.ORCHESTRATOR_COMPLETED:
            events.append(history.orchestrator_completed(now))
        return decision

    def _outcome(self) -> tuple[str, str | None]:
        walk = self.walk
        if walk.terminated is not None:
            return "Terminated", _reason(walk.terminated)
        if self.fault is not None:
            return "Failed", compact(str(self.fault))
        if not walk.tasks.open:
            if walk.refusal is not None:
                return "Failed", compact(words_of_failure(self.turn.name, walk.refusal))
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


def _reason(reason: str) -> str | None:
    """A reason as status shows it: the JSON it holds, or itself."""
    if not reason:
        return None
    try:
        return compact(json.loads(reason))
    except (ValueError, RecursionError):
        return compact(reason)
