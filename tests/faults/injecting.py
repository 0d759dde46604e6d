"""Puts one fault into a hub, and counts where faults can happen."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from durablehost.hub.backend import Message
from durablehost.hub.history import compact, event_raised
from durablehost.testing import Crashed, ManualHub
from orchestration.failures import Failure

ACTIVITY: Final = ("fails once", "fails for good", "runs twice", "times out")
EVENT: Final = ("comes early", "comes late", "comes twice", "never comes", "is malformed")
CRASH: Final = "the process dies"
SHUFFLE: Final = "completions of one moment are shuffled"
_SHUFFLES: Final = 2
_NEVER: Final = 10**9
_LONG: Final = timedelta(hours=1)  # longer than any function may run
_LATE: Final = timedelta(days=1)
_MALFORMED: Final = "{no json"

Event = tuple[str, str, Any]  # instance, name, value


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong in a run."""

    kind: str
    number: int = 1  # of the call, the event or the commit; the seed of a shuffle
    name: str = ""  # of the activity
    event: Event | None = None

    def __str__(self) -> str:
        if self.event is not None:
            return f"event '{self.event[1]}' number {self.number} {self.kind}"
        if self.name:
            return f"{self.name} {self.kind}, at its call {self.number}"
        return f"{self.kind} ({self.number})"


class Injected:
    """A hub with a fault, or none, and what happens in it."""

    def __init__(self, hub: ManualHub, fault: Fault | None) -> None:
        self._hub = hub
        self._fault = fault
        machinery = hub._machinery
        self._work, self._client, self._backend = (
            machinery.work,
            machinery.client,
            machinery.backend,
        )
        self.events: list[Event] = []
        self._raise_event = self._client.raise_event
        self._client.raise_event = self._on_event  # type: ignore[method-assign]  # to see events
        if fault is None:
            self._work.crash_after(_NEVER)
        elif fault.kind in ACTIVITY:
            self._fail_activity(fault)
        elif fault.kind == CRASH:
            self._crash(fault)
        elif fault.kind == SHUFFLE:
            hub.shuffle(fault.number)
        elif fault.kind == "comes early":
            self._start = self._client.start
            self._client.start = self._on_start  # type: ignore[method-assign]  # to come first

    @property
    def commits(self) -> int:
        """How often the hub has committed; 0 if the test crashes it itself."""
        return _NEVER - (self._work._commits_left or _NEVER)

    @property
    def calls(self) -> Counter[str]:
        return Counter(call.name for call in self._hub.calls(kind="activity"))

    def _fail_activity(self, fault: Fault) -> None:
        error = Failure("injected", "this fault was injected", retriable=True)
        match fault.kind:
            case "fails once":
                self._hub.fail_activity(fault.name, error, on_call=fault.number)
            case "fails for good":
                self._hub.fail_activity(fault.name, error, on_call=fault.number, times=None)
            case "runs twice":
                self._hub.repeat_activity(fault.name, on_call=fault.number)
            case _:
                self._hub.slow_activity(fault.name, _LONG)

    def _crash(self, fault: Fault) -> None:
        until_idle = self._work.until_idle
        self._work.crash_after(fault.number)

        async def going_on_after_a_crash() -> None:
            try:
                await until_idle()
            except Crashed:
                self._hub.crash()
                await until_idle()

        self._work.until_idle = going_on_after_a_crash  # type: ignore[method-assign]  # see name

    def _on_start(self, *given: Any, **named: Any) -> str:
        started = self._start(*given, **named)
        assert self._fault is not None
        assert self._fault.event is not None
        instance_id, name, value = self._fault.event
        if instance_id == started:
            self._raise_event(instance_id, name, value)
        return started

    def _on_event(self, instance_id: str, name: str, value: Any) -> None:
        self.events.append((instance_id, name, value))
        fault = self._fault
        if fault is None or fault.event is None or len(self.events) != fault.number:
            self._raise_event(instance_id, name, value)
            return
        match fault.kind:
            case "comes late":
                self._client._going(instance_id)
                when = self._hub.clock.now() + _LATE
                event = event_raised(when, name, compact(value))
                self._backend.send(Message(instance_id, event, due=when))
            case "comes twice":
                self._raise_event(instance_id, name, value)
                self._raise_event(instance_id, name, value)
            case "is malformed":
                self._raise_event(instance_id, name, _MALFORMED)
            case "never comes":
                self._client._going(instance_id)
            case _:  # early: it has come
                self._raise_event(instance_id, name, value)


def faults_of(injected: Injected, chance: random.Random) -> list[Fault]:
    """All faults that can happen in a run like this one."""
    return [*_faults_of(injected, chance)]


def _faults_of(injected: Injected, chance: random.Random) -> Iterator[Fault]:
    for name, calls in injected.calls.items():
        yield Fault("times out", 1, name)
        for call in range(1, calls + 1):
            for kind in ACTIVITY[:3]:
                yield Fault(kind, call, name)
    for number in range(1, injected.commits + 1):
        yield Fault(CRASH, number)
    for number, event in enumerate(injected.events, 1):
        for kind in EVENT:
            yield Fault(kind, number, event=json.loads(json.dumps(event)))
    for _ in range(_SHUFFLES):
        yield Fault(SHUFFLE, chance.randrange(1_000_000))
