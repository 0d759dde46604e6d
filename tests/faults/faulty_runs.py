"""Runs every test again and again, each time with one fault; loaded by `make faults`.

A test of a pattern is a path through its orchestrators. It runs once as it is, which shows where
faults can happen. In the runs that follow its assertions do not count. Each run goes on until its
instances have ended, and then the invariants must hold: those that apply to all patterns, and the
functions `invariant_…` in the file of the test.
"""

import asyncio
import contextlib
import inspect
import json
import os
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import Any, Final, cast

import pytest
from _pytest.outcomes import OutcomeException, Skipped
from _pytest.runner import runtestprotocol

from durablehost.testing import ManualHub
from tests.faults.injecting import TIMEOUT, Fault, Injected, faults_of
from tests.faults.judging import Judged, judge, settle
from tests.outside import Sandbox

RESULTS: Final = "FAULTS_RESULTS"  # the folder for the results
SEED: Final = "FAULTS_SEED"
MOST: Final = "FAULTS_MOST"  # faults for each test
SAME: Final = "same without it"  # an instance that a test lets fail in the host's words
ONLY: Final = "FAULTS_ONLY"  # a text that is in the faults to run

_TEST_SECONDS: Final = 10  # a test may wait for what its fault prevents
_SETTLE_SECONDS: Final = 30  # thousands of attempts may follow one fault

_fault: pytest.StashKey[Fault | None] = pytest.StashKey()
_injected: pytest.StashKey[Injected] = pytest.StashKey()
_judged: pytest.StashKey[Judged | None] = pytest.StashKey()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run the test without a fault, then with each of its faults."""
    if isinstance(item, pytest.Function) and _is_path(item):
        _run_with_faults(item)
    item.session._setupstate.teardown_exact(nextitem)
    return True


def _is_path(item: pytest.Function) -> bool:
    return "hub" in item.fixturenames and inspect.iscoroutinefunction(item.obj)


def _run_with_faults(item: pytest.Function) -> None:
    clean = _run(item, None)
    usual = item.stash.get(_judged, None)
    injected = item.stash.get(_injected, None)
    if usual is None or injected is None or not _passed(clean):
        _write(item, {"left_out": _why(clean)})
    else:
        _write(item, {"held": sorted(usual.held), "broken": usual.broken})
        for fault in _chosen(item, injected):
            item.stash[_judged] = None
            _write(item, _result(item, fault, usual, _run(item, fault)))
    item.stash = pytest.Stash()  # it holds the hub


def _chosen(item: pytest.Item, injected: Injected) -> list[Fault]:
    seed, only = os.environ[SEED], os.environ[ONLY]
    return faults_of(injected, f"{seed} {item.nodeid}", only, int(os.environ[MOST]))


def _run(item: pytest.Function, fault: Fault | None) -> list[pytest.TestReport]:
    item.stash[_fault] = fault
    # What the tests of its file share, such as Azurite, stays open for the next run.
    stays = cast(pytest.Item, item.parent)  # pytest reads only its chain of parents
    return runtestprotocol(item, log=False, nextitem=stays)


def _passed(reports: list[pytest.TestReport]) -> bool:
    return all(report.passed for report in reports)


def _why(reports: list[pytest.TestReport]) -> str:
    failed = next((report for report in reports if report.failed), None)
    if failed is not None:
        return f"it fails without a fault: {str(failed.longrepr)[-300:]}"
    return "skipped" if any(report.skipped for report in reports) else "it was not judged"


def _result(
    item: pytest.Item, fault: Fault, usual: Judged, reports: list[pytest.TestReport]
) -> dict[str, Any]:
    judged = item.stash.get(_judged, None)
    wrong = [str(report.longrepr)[-2000:] for report in reports if report.failed]
    result = {
        "fault": str(fault),
        "kind": fault.kind,
        "has_happened": item.stash[_injected].has_happened,
    }
    if judged is None:
        return result | {"wrong": wrong or ["it was not judged"], "instances": [], "held": []}
    if judged.is_held_up:
        return result | {"held_up": True, "wrong": [], "instances": [], "held": []}
    # What does not hold without a fault either is a matter of what the test has replaced.
    held = sorted(usual.held & judged.held)
    wrong += [f"{name}: {judged.broken[name]}" for name in sorted(usual.held - judged.held)]
    wrong += sorted(set(judged.wrong) - set(usual.wrong))
    instances = [
        (name, SAME if f"{name}: {end}" in usual.wrong else end) for name, end in judged.instances
    ]
    return result | {"wrong": wrong, "instances": instances, "held": held}


def _write(item: pytest.Item, result: dict[str, Any]) -> None:
    file = Path(os.environ[RESULTS]) / f"{os.getpid()}.jsonl"
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"test": item.nodeid, **result}) + "\n")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Inject the fault into the hub of the test, and judge what came of the run."""
    hub = getattr(item, "funcargs", {}).get("hub")
    if not isinstance(hub, ManualHub) or not isinstance(item, pytest.Function):
        return (yield)
    test, fault = item.obj, item.stash[_fault]
    if fault is not None:
        hub.allow_problems()
    item.obj = _with_fault(item, test, hub, fault)
    try:
        return (yield)
    finally:
        item.obj = test


def _with_fault(
    item: pytest.Function, test: Callable[..., Awaitable[None]], hub: ManualHub, fault: Fault | None
) -> Callable[..., Awaitable[None]]:
    async def path(*args: Any, **kwargs: Any) -> None:
        item.stash[_injected] = Injected(hub, fault)
        is_cut = False
        try:
            async with asyncio.timeout(_TEST_SECONDS if fault else None):
                await test(*args, **kwargs)
        except Skipped:
            raise
        except (Exception, OutcomeException) as error:
            if fault is None:
                raise
            is_cut = isinstance(error, TimeoutError)  # the test waits for what the fault prevents
        sandbox = item.funcargs.get("sandbox")
        if isinstance(sandbox, Sandbox):
            await sandbox.mend()
            await sandbox.put("/tax/office")
        is_at_rest = await _comes_to_rest(hub)
        timed_out = fault is not None and fault.kind == TIMEOUT
        judged = await judge(hub, item.funcargs, item.module, timed_out=timed_out)
        item.stash[_judged] = judged
        judged.is_held_up = is_cut and not is_at_rest  # an activity waits for the test
        if not is_at_rest and not is_cut:
            judged.wrong.append("an activity does not end")
        await hub.disconnect()

    path.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]  # what pytest reads
    return path


async def _comes_to_rest(hub: ManualHub) -> bool:
    """Let a run go on to its end, or for a while. Returns False if an activity does not end."""
    for seconds, work in ((_SETTLE_SECONDS, settle), (_TEST_SECONDS, ManualHub.run_until_idle)):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await work(hub)
                return True
    return False
