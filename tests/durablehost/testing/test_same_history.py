"""An orchestrator's history under a clock moved by hand is the one it has in real time."""

import re
import time
from pathlib import Path
from typing import Any

from durablehost.hub.history import Event
from durablehost.testing import ManualHub
from tests.durablehost_process import Started, running

APP = '''
import datetime
import azure.durable_functions as df

app = df.DFApp()


@app.orchestration_trigger(context_name="context")
def everything(context):
    """Something of each kind, one after the other."""
    retry = df.RetryOptions(1000, 3)
    once = yield context.call_activity_with_retry("hiccup", retry, {"for": context.instance_id})
    context.set_custom_status({"attempts": once})
    yield context.create_timer(context.current_utc_datetime + datetime.timedelta(seconds=1))
    child = yield context.call_sub_orchestrator("child", [once], instance_id="the-child")
    count = yield context.call_entity(df.EntityId("tally", "t"), "add", child)
    context.signal_entity(df.EntityId("tally", "t"), "add", 1)
    try:
        yield context.call_activity("fails", None)
    except Exception:
        pass
    go = context.wait_for_external_event("Go")
    timer = context.create_timer(context.current_utc_datetime + datetime.timedelta(seconds=1))
    winner = yield context.task_any([go, timer])
    context.set_custom_status("late")
    late = yield go
    return [once, child, count, winner is timer, late]


@app.orchestration_trigger(context_name="context")
def child(context):
    return len(context.get_input())


@app.entity_trigger(context_name="context")
def tally(context):
    context.set_state(context.get_state(lambda: 0) + context.get_input())
    context.set_result(context.get_state())


ATTEMPTS = []


@app.activity_trigger(input_name="asked")
def hiccup(asked: dict):
    ATTEMPTS.append(asked)
    if len(ATTEMPTS) % 2:
        raise ConnectionError("try again")
    return 2


@app.activity_trigger(input_name="nothing")
def fails(nothing):
    raise ValueError("it always does")
'''
IDS = ("everything", "the-child")
GUID = re.compile(r"\b[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\b")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?")
ENDED = [2, 1, 1, True, "now"]


def write(folder: Path) -> Path:
    (folder / "function_app.py").write_text(APP)
    (folder / "host.json").write_text('{"version": "2.0"}')
    return folder


def wait_until(host: Started, member: str, value: str) -> None:
    until = time.monotonic() + 60
    while (status := host.manage("GET", "/instances/everything").json())[member] != value:
        assert time.monotonic() < until, status


def without_times(value: Any) -> Any:
    if isinstance(value, str):
        return TIME.sub("TIME", GUID.sub("GUID", value))
    if isinstance(value, list):
        return [without_times(one) for one in value]
    if isinstance(value, dict):
        return {name: without_times(one) for name, one in value.items()}
    return value


def histories(hub: ManualHub) -> dict[str, list[Event]]:
    assert hub.output("everything") == ENDED
    return {one: without_times(hub.history(one)) for one in IDS}


async def test_the_history_is_the_same_in_real_time_and_with_the_clock_moved_by_hand(
    tmp_path: Path,
) -> None:
    folder, data = write(tmp_path), tmp_path / "hub.db"
    with running(folder, "--data", data) as host:
        host.manage("POST", "/orchestrators/everything/everything")
        wait_until(host, "customStatus", "late")
        host.manage("POST", "/instances/everything/raiseEvent/Go", "now")
        wait_until(host, "runtimeStatus", "Completed")
        assert host.stop() == 0
    async with ManualHub(folder, data=data) as hub:
        in_real_time = histories(hub)

    async with ManualHub(folder) as hub:
        await hub.start("everything", instance_id="everything")
        await hub.run_until_custom_status("everything", "late")
        await hub.raise_event("everything", "Go", "now", as_http=True)
        by_hand = histories(hub)

    assert by_hand == in_real_time
