"""An orchestrator that blocks: its line is named, others are answered, corrected code is taken."""

import json
from pathlib import Path
from typing import Final

from tests.durablehost.apps import SOUND, result_of, write_app
from tests.durablehost_process import running

DASHBOARD: Final = "/admin/durablehost/dashboard/api"
BLOCKED = (
    SOUND
    + """
import threading

@app.orchestration_trigger(context_name="context")
def stands(context):
    threading.Event().wait()
    return "stood"
"""
)


def test_a_blocked_orchestrator_is_named_and_the_corrected_code_ends_it(tmp_path: Path) -> None:
    folder = write_app(tmp_path / "app", BLOCKED)
    line = BLOCKED.splitlines().index("    threading.Event().wait()") + 1
    with running(folder, "--reload") as host:
        assert host.manage("POST", "/orchestrators/stands/one").status == 202
        host.output.wait_for(
            rf"one \(stands\) has run for 2 s .* at function_app.py:{line} in stands"
        )
        listed = json.loads(host.ask("GET", f"{DASHBOARD}/instances").text)
        hello = host.ask("GET", "/api/hello/Ada").text

        write_app(folder, BLOCKED.replace("threading.Event().wait()", "pass"))
        host.output.wait_for("Ready at")

        assert result_of(host, "one") == "stood"
        assert host.stop() == 0

    [long_call] = listed["longCalls"]
    assert f"orchestrator stands of one has run for 2 s, at function_app.py:{line}" in long_call
    assert hello == "Hello Ada"


HELD = (
    SOUND
    + """
import ctypes

@app.activity_trigger(input_name="nothing")
def holds(nothing):
    ctypes.PyDLL(None).sleep(9)  # PyDLL keeps the interpreter to itself
    return "held"

@app.orchestration_trigger(context_name="context")
def calls(context):
    return (yield context.call_activity(holds, None))
"""
)


def test_c_code_that_lets_no_other_thread_run_is_named(tmp_path: Path) -> None:
    folder = write_app(tmp_path / "app", HELD)
    line = HELD.splitlines().index(next(x for x in HELD.splitlines() if "PyDLL(None)" in x)) + 1
    with running(folder) as host:
        assert host.manage("POST", "/orchestrators/calls/one").status == 202
        host.output.wait_for(r"Timeout \(0:00:08\)!")
        host.output.wait_for(rf'function_app.py", line {line} in holds')

        assert result_of(host, "one") == "held"
        assert host.stop() == 0
