"""The recorded changes of code under running instances, judged as the real host judged them."""

import contextlib
import json
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from durablehost.app.functions import FunctionTable
from durablehost.replaying.checking import check
from durablehost.replaying.findings import Verdict, verdict_of
from durablehost.replaying.recording import Recording
from durablehost.replaying.taking import take
from durablehost.testing import ManualHub, load_app

HERE = Path(__file__).parents[2] / "conformance" / "changes"
RECORDED: dict[str, dict[str, Any]] = json.loads((HERE / "recorded.json").read_text("utf-8"))
# These differ only after the place where the instance stands, so that it goes on unharmed.
AHEAD = {"call_added_after_wait", "timer_pending_moved"}


@dataclass(frozen=True)
class Changing:
    """The probe app, and the instances that run its second shape."""

    table: FunctionTable
    changed: set[str]


@pytest.fixture(scope="module")
def app() -> Changing:
    with contextlib.chdir(HERE):  # which `load_app` does, too
        table = load_app(HERE)
        return Changing(table, vars(sys.modules["function_app"])["CHANGED"])


def fails_on_the_real_host(name: str) -> bool:
    bodies = [(answer or {}).get("body") for answer in RECORDED[name]["answers"]]
    ends = [body for body in bodies if isinstance(body, dict) and "runtimeStatus" in body]
    return "Non-Deterministic workflow detected" in str(ends[-1]["output"])


async def recorded_before(table: FunctionTable, name: str, *, ended: bool) -> list[Recording]:
    """The instance and its child as the code in its first shape leaves them."""
    async with ManualHub(table) as hub:
        hub.allow_problems()
        hub.slow_activity("slow", timedelta(seconds=2))
        instance = await hub.start(name, {"n": "first"}, instance_id=name)
        if not name.startswith("in_flight") and name != "timer_pending_moved":
            await hub.advance(timedelta(seconds=5))
        if ended:
            for child in hub.instances(f"{name}:kid"):
                await hub.raise_event(child.id, "kid-go", 1, as_http=True)
            await hub.raise_event(instance, "go", 1, as_http=True)
            await hub.advance(timedelta(minutes=5))
        return [
            take(table, each.id, each.status, hub.history(each.id), each.custom_status)
            for each in hub.instances()
            if not each.id.startswith("@") and each.ended == ended
        ]


async def judged(app: Changing, name: str, *, ended: bool) -> Verdict:
    app.changed.clear()
    recordings = await recorded_before(app.table, name, ended=ended)
    app.changed.add(name)
    return verdict_of([finding for each in recordings for finding in check(app.table, each)])


def test_all_changes_are_judged() -> None:
    assert len(RECORDED) == 48
    assert sum(map(fails_on_the_real_host, RECORDED)) == 26


@pytest.mark.parametrize("name", RECORDED)
async def test_a_change_is_judged_as_on_the_real_host(app: Changing, name: str) -> None:
    in_flight = await judged(app, name, ended=False)

    if fails_on_the_real_host(name):
        assert in_flight == "fails"
    else:
        assert in_flight == ("fits" if name in AHEAD else "silent")


@pytest.mark.parametrize("name", sorted(AHEAD))
async def test_a_change_ahead_of_the_instance_shows_in_one_that_has_ended(
    app: Changing, name: str
) -> None:
    assert await judged(app, name, ended=True) == "silent"
