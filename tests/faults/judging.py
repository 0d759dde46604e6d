"""Lets a run go on to its end, and judges it by the invariants."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import ModuleType
from typing import Any, Final

from durablehost.testing import InstanceState, ManualHub, Stuck
from orchestration.failures import INTERNAL, failure_of

Invariant = Callable[..., Awaitable[None]]

_LONGEST: Final = timedelta(days=45)  # longer than any deadline of the app
_FOR_EVER: Final = frozenset({"ledger_sweep"})
# A call that the host stopped: the app shows it as `internal`, and the operation can be retried.
_TIMED_OUT: Final = ("Timeout value of", f"[{INTERNAL}, retriable]")
# These are mistakes of the app, whatever goes wrong around it.
_MISTAKES: Final = frozenset(
    {
        "replay-differs",
        "unnoticed-change",
        "replay-cut-short",
        "unknown-function",
        "dropped-call",
        "cannot-go-on",
        "durablehost-failed",
    }
)


@dataclass
class Judged:
    """What came of a run."""

    instances: list[tuple[str, str]] = field(default_factory=list)  # orchestrator, how it ended
    wrong: list[str] = field(default_factory=list)
    held: set[str] = field(default_factory=set)  # the names of invariants
    broken: dict[str, str] = field(default_factory=dict)
    is_held_up: bool = False  # by the test, and not by the app


async def settle(hub: ManualHub) -> None:
    """Let time pass until what can end has ended."""
    hub.stop_timers()
    for instance in _running(hub):
        try:
            await hub.run_until_ended(instance.id, _LONGEST)
        except Stuck:
            continue


def _running(hub: ManualHub) -> list[InstanceState]:
    return [
        each
        for each in hub.instances()
        if not each.id.startswith("@") and not each.ended and each.name not in _FOR_EVER
    ]


async def judge(
    hub: ManualHub, fixtures: Mapping[str, Any], module: ModuleType, *, timed_out: bool = False
) -> Judged:
    """Judge a run; an invariant names the fixtures of the test that it needs."""
    judged = Judged()
    for instance in hub.instances():
        if not instance.id.startswith("@"):
            end = _end_of(hub, instance, timed_out)
            judged.instances.append((instance.name, end))
            if end.startswith("wrong"):
                judged.wrong.append(f"{instance.name}: {end}")
    judged.wrong += [
        f"{problem.kind}: {problem.text}" for problem in hub.problems() if problem.kind in _MISTAKES
    ]
    for name, invariant in vars(module).items():
        if name.startswith("invariant_"):
            needs = inspect.signature(invariant).parameters
            if needs.keys() <= fixtures.keys():
                given = {each: fixtures[each] for each in needs}
                await _check(judged, name, invariant, given)
    return judged


async def _check(judged: Judged, name: str, invariant: Invariant, given: Mapping[str, Any]) -> None:
    try:
        await invariant(**given)
    except Exception as error:  # whatever it raises, it does not hold
        judged.broken[name] = f"{type(error).__name__}: {str(error)[:600]}"
    else:
        judged.held.add(name)


def completed(hub: ManualHub, orchestrator: str) -> list[InstanceState]:
    """The instances of an orchestrator that have completed."""
    return [
        each for each in hub.instances() if each.name == orchestrator and each.status == "Completed"
    ]


def _end_of(hub: ManualHub, instance: InstanceState, timed_out: bool) -> str:
    if instance.status == "Failed":
        is_known = failure_of(instance.output).code != INTERNAL or (
            timed_out and any(words in instance.output for words in _TIMED_OUT)
        )
        return "failed as designed" if is_known else f"wrong: {_cut(instance.output)}"
    if instance.ended:
        return "ended"
    if instance.name in _FOR_EVER or instance.status == "Suspended":
        return "waits"
    waits: Any = hub.waits_for(instance.id)
    return "waits" if waits.events or waits.timers or waits.children else "wrong: it stands still"


def _cut(text: object) -> str:
    return str(text)[:300]
