"""What durablehost notices in an episode and the real host would not say."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from durablehost.app.functions import Kind, Known
from durablehost.episodes.changed_code import NonDeterministic, described
from durablehost.episodes.scheduled import CreateTimer, describe
from durablehost.episodes.sdk_turn import STATUS_LIMIT_KB, Answer, Turn, status_kilobytes
from durablehost.episodes.walk import Walk
from durablehost.hub import findings, history
from durablehost.hub.findings import Finding

_KINDS: Final[dict[str, Kind]] = {
    "orchestrator": "orchestration",
    "activity": "activity",
    "entity": "entity",
}


@dataclass(frozen=True, slots=True)
class Look:
    """A look at an episode that has been walked through."""

    turn: Turn
    answer: Answer
    walk: Walk
    fault: NonDeterministic | None
    table: Known

    def findings(self, status: str) -> Sequence[Finding]:
        """All there is to say of an episode that came to this status."""
        found = [self._unknown(kind, name) for kind, name in self.walk.unknown]
        found += [findings.dropped_call(name, why) for name, why in self.walk.dropped]
        found += self._of_replay()
        found += self._of_timers()
        if not self.turn.past:
            found += self._of_input()
        found += self._of_events()
        size = status_kilobytes(self.answer.custom_status)
        if findings.NEAR_STATUS_LIMIT_KB <= size <= STATUS_LIMIT_KB:
            found.append(findings.big_custom_status(size))
        if status == "Running":
            found += self._of_waiting()
        return found

    def _unknown(self, kind: str, name: str) -> Finding:
        of_kind = _KINDS[kind]
        return findings.unknown_function(
            kind, name, self.table.durable_names(of_kind), self.table.why_left_out(of_kind, name)
        )

    def _of_replay(self) -> list[Finding]:
        if self.fault is not None:
            return [self._of_fault(self.fault)]
        for event, scheduled in self.walk.tasks.matched:
            name = event.get("Name")
            now = str(getattr(scheduled, "name", name))
            if event["EventType"] != history.EVENT_SENT and name and name.lower() != now.lower():
                return [findings.replay_differs(f"a call of '{name}'", f"calls '{now}'")]
        return []

    def _of_fault(self, fault: NonDeterministic) -> Finding:
        if self.answer.raised is not None:
            return findings.replay_cut_short(self.answer.raised)
        had = described(fault.event)
        does = "does not do it" if fault.instead is None else f"has {describe(fault.instead)} there"
        return findings.replay_differs(had, does)

    def _of_timers(self) -> list[Finding]:
        now = self.turn.now
        return [
            findings.short_timer(timer.fire_at, now)
            for timer in self.walk.tasks.scheduled.values()
            if isinstance(timer, CreateTimer) and 0 < (timer.fire_at - now).total_seconds() < 1
        ]

    def _of_input(self) -> list[Finding]:
        value = json.loads(self.turn.input or "null")
        if value is None or isinstance(value, dict):
            return []
        if isinstance(value, str):
            try:
                json.loads(value)
            except (ValueError, RecursionError):
                return [findings.unreadable_input(value)]
            return []
        return [findings.unreadable_input(value)]

    def _of_events(self) -> list[Finding]:
        return [
            findings.event_in_other_case(sent, waited_for)
            for sent, waited_for in self.walk.events.misheard
        ]

    def _of_waiting(self) -> list[Finding]:
        walk = self.walk
        if self.answer.done or self.answer.error is not None:
            keeping = [describe(item) for item in walk.tasks.open.values()]
            if not walk.at_end:
                keeping += [f"the wait for another event '{name}'" for name in walk.events.expected]
            return [findings.kept_running(keeping)]
        # What was misheard can still be sent under the name it is waited for.
        stuck = walk.at_end and not walk.tasks.open and not walk.events.misheard
        return [findings.cannot_go_on()] if stuck else []
