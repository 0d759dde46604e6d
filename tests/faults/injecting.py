"""Puts one fault into a hub, and counts where faults can happen."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, count, islice, zip_longest
from random import Random
from typing import Any, Final

from durablehost.episodes.scheduled import HTTP_ACTIVITY
from durablehost.errors import FunctionFailed, FunctionTimedOut
from durablehost.hub.backend import ActivityWork, Message
from durablehost.hub.history import compact, event_raised
from durablehost.testing import Crashed, ManualHub
from orchestration.failures import Failure

TIMEOUT: Final = "times out"
ACTIVITY: Final = ("fails once", "always fails", "runs twice", TIMEOUT)
EVENT: Final = ("comes early", "comes late", "comes twice", "never comes", "is malformed")
CRASH: Final = "the process dies"
SHUFFLE: Final = "completions of one moment are shuffled"
_SHUFFLES: Final = 2
_LATE: Final = timedelta(days=1)
_MALFORMED: Final = "{no json"

Event = tuple[str, str, Any]  # orchestrator, name, value


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
        self._limit = machinery.settings.function_timeout or timedelta(hours=1)
        self._work, self._client, self._backend = (
            machinery.work,
            machinery.client,
            machinery.backend,
        )
        self.calls: Counter[str] = Counter()  # of activities, and of `call_http`
        self.commits = 0
        self.moments = 0  # at which more than one thing happened
        self.events: list[Event] = []
        self.has_happened = False  # whether the run came to the place of the fault
        self._is_crashing = False
        self._late: set[int] = set()  # the calls that take too long
        self._run_activity, self._next_activity = (
            self._work._run_activity,
            self._backend.next_activity,
        )
        self._work._run_activity = self._on_activity
        self._shuffle = machinery.shuffle
        self._in_some_order = self._shuffle.in_some_order
        self._shuffle.in_some_order = self._on_order  # type: ignore[method-assign]  # to count
        self._raise_event = self._client.raise_event
        self._client.raise_event = self._on_event  # type: ignore[method-assign]  # to see events
        self._count_commit, self._until_idle = self._work._count_commit, self._work.until_idle
        self._work._count_commit = self._on_commit  # type: ignore[method-assign]  # to count
        if fault is None:
            return
        if fault.kind == TIMEOUT:
            self._slow_down(fault)
        elif fault.kind == CRASH:
            self._work.until_idle = self._go_on_after_the_crash  # type: ignore[method-assign]  # see name
        elif fault.kind == SHUFFLE:
            hub.shuffle(fault.number)
        elif fault.kind == "comes early":
            self._start = self._client.start
            self._client.start = self._on_start  # type: ignore[method-assign]  # to come first

    async def _on_activity(self, activity: ActivityWork) -> str:
        self.calls[activity.name] += 1
        fault = self._fault
        if fault is None or fault.name != activity.name or not self._is_meant(fault, activity):
            return await self._run_activity(activity)
        self.has_happened = True
        if fault.kind in ("fails once", "always fails"):
            raise self._failure(activity)
        await self._run_activity(activity)
        if fault.kind == TIMEOUT:
            raise self._timeout(activity)
        return await self._run_activity(activity)

    def _is_meant(self, fault: Fault, activity: ActivityWork) -> bool:
        if fault.kind == TIMEOUT:
            return activity.receipt in self._late
        call = self.calls[activity.name]
        return call == fault.number or (fault.kind == "always fails" and call > fault.number)

    def _failure(self, activity: ActivityWork) -> Exception:
        if activity.name == HTTP_ACTIVITY:
            return OSError("this fault was injected")
        error = Failure("injected", "this fault was injected", retriable=True)
        return FunctionFailed(type(error).__name__, str(error), "")

    def _timeout(self, activity: ActivityWork) -> Exception:
        if activity.name == HTTP_ACTIVITY:
            return OSError("this call timed out")
        return FunctionTimedOut(activity.name, self._limit)

    def _slow_down(self, fault: Fault) -> None:
        """Let a call take `functionTimeout`. It does its work, and its result is lost."""
        taken = count(1)
        usual = timedelta()

        def next_activity() -> ActivityWork | None:
            nonlocal usual
            activity = self._next_activity()
            if activity is None or activity.name != fault.name:
                return activity
            number = next(taken)
            if number == fault.number:
                usual = self._work._takes.get(fault.name, timedelta())
                self._work.slow_down(fault.name, self._limit)
                self._late.add(activity.receipt)
            elif number == fault.number + 1:
                self._work.slow_down(fault.name, usual)
            return activity

        self._backend.next_activity = next_activity  # type: ignore[method-assign]  # to slow it

    def _on_commit(self) -> None:
        self.commits += 1
        fault = self._fault
        if fault is not None and (fault.kind, fault.number) == (CRASH, self.commits):
            self._is_crashing = self.has_happened = True
            raise Crashed
        self._count_commit()

    async def _go_on_after_the_crash(self) -> None:
        try:
            await self._until_idle()
        except Crashed:
            if not self._is_crashing:  # the test crashes the hub by itself
                raise
            self._is_crashing = False
            self._hub.crash()
            await self._until_idle()

    def _on_order(self, items: list[Any]) -> list[Any]:
        if len(items) > 1:
            self.moments += 1
            self.has_happened |= self._fault is not None and self._fault.kind == SHUFFLE
        return self._in_some_order(items)

    def _on_start(self, name: str, *given: Any, **named: Any) -> str:
        started = self._start(name, *given, **named)
        assert self._fault is not None
        assert self._fault.event is not None
        orchestrator, event, value = self._fault.event
        if name == orchestrator and not self.has_happened:
            self.has_happened = True
            self._raise_event(started, event, value)
        return started

    def _on_event(self, instance_id: str, name: str, value: Any) -> None:
        orchestrator = self._client.status(instance_id).name
        self.events.append((orchestrator, name, value))
        fault = self._fault
        if fault is None or fault.event is None or len(self.events) != fault.number:
            self._raise_event(instance_id, name, value)
            return
        match fault.kind:
            case "comes early":  # it has come
                self._raise_event(instance_id, name, value)
                return
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
            case _:
                self._client._going(instance_id)
        self.has_happened = True


def faults_of(injected: Injected, seed: str, only: str, most: int) -> list[Fault]:
    """Some faults that can happen in a run like this one, as many of each kind as possible."""
    by_kind: dict[str, list[Fault]] = defaultdict(list)
    for fault in _all_faults_of(injected, Random(seed)):
        if only in str(fault):
            by_kind[fault.kind].append(fault)
    # Each kind has its own order: it does not change when there is one more commit.
    kinds = [Random(f"{seed} {kind}").sample(all_, len(all_)) for kind, all_ in by_kind.items()]
    Random(seed).shuffle(kinds)
    in_turn = chain.from_iterable(zip_longest(*kinds))
    return [*islice((fault for fault in in_turn if fault is not None), most)]


def _all_faults_of(injected: Injected, chance: Random) -> Iterator[Fault]:
    for _ in range(_SHUFFLES if injected.moments else 0):
        yield Fault(SHUFFLE, chance.randrange(1_000_000))
    for name, calls in injected.calls.items():
        for call in range(1, calls + 1):
            for kind in ACTIVITY:
                yield Fault(kind, call, name)
    for number in range(1, injected.commits + 1):
        yield Fault(CRASH, number)
    for number, event in enumerate(injected.events, 1):
        for kind in EVENT:
            yield Fault(kind, number, event=json.loads(json.dumps(event)))
