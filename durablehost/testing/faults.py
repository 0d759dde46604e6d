"""Repeats a run with a crash or a fault at every place where one can happen."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final, Literal

from durablehost.settings import Settings
from durablehost.testing.manual_hub import ManualHub
from durablehost.testing.manual_work import Crashed

Run = Callable[[ManualHub], Awaitable[object]]
FaultKind = Literal["fails once", "always fails", "runs twice"]

FAULTS: Final[tuple[FaultKind, ...]] = ("fails once", "always fails", "runs twice")


@dataclass(frozen=True)
class Fault:
    """What goes wrong in one run: `charge_card fails once, at its call 2`."""

    activity: str
    kind: FaultKind
    call: int

    def __str__(self) -> str:
        return f"{self.activity} {self.kind}, at its call {self.call}"


async def every_crash(
    app: object, run: Run, *, settings: Settings | None = None
) -> AsyncIterator[ManualHub]:
    """Run on a new hub that crashes after one commit, on another after two, until a run succeeds.

    Yields each hub after its crash: the test lets it continue and checks the result.
    """
    for commits in count(1):
        async with ManualHub(app, settings=settings) as hub:
            hub.crash_after(commits)
            try:
                await run(hub)
            except Crashed:
                hub.crash()
                yield hub
                continue
            assert commits > 1, "nothing was committed, so nothing crashed"
            return


async def every_fault(
    app: object,
    run: Run,
    *,
    kinds: Sequence[FaultKind] = FAULTS,
    error: Exception | None = None,
    settings: Settings | None = None,
) -> AsyncIterator[tuple[ManualHub, Fault]]:
    """Run once without a fault, then once for each fault of each call of an activity.

    Yields each hub after its run, and the fault. `run` must accept that instances fail, as
    `run_until_ended` does. The error of a failed call is a ConnectionError unless one is given.
    """
    async with ManualHub(app, settings=settings) as hub:
        await run(hub)
        made = Counter(call.name for call in hub.calls(kind="activity"))
    assert made, "no activity was called, so nothing can fail"
    faults = [
        Fault(activity, kind, call)
        for activity, calls in made.items()
        for call in range(1, calls + 1)
        for kind in kinds
    ]
    for fault in faults:
        async with ManualHub(app, settings=settings) as hub:
            _inject(hub, fault, error or ConnectionError(f"a fault: {fault}"))
            try:
                await run(hub)
            except Exception as raised:
                raised.add_note(f"The fault of this run: {fault}")
                raise
            yield hub, fault


def _inject(hub: ManualHub, fault: Fault, error: Exception) -> None:
    if fault.kind == "runs twice":
        hub.repeat_activity(fault.activity, on_call=fault.call)
    else:
        times = 1 if fault.kind == "fails once" else None
        hub.fail_activity(fault.activity, error, on_call=fault.call, times=times)
