"""Ctrl-C, SIGTERM and kill -9: durablehost ends, and nothing is lost."""

import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.durablehost.apps import SOUND, result_of, write_app
from tests.durablehost_process import running

LONG = (
    SOUND
    + '''
import asyncio
import threading
from pathlib import Path

MARK = Path(__file__).with_name("begun-before")


def first_time() -> bool:
    """Whether it has never been called; it says so to whoever reads the console."""
    if MARK.exists():
        return False
    MARK.touch()
    print("begun", flush=True)
    return True


@app.orchestration_trigger(context_name="context")
def calling(context):
    return (yield context.call_activity(context.get_input()["activity"], None))


@app.activity_trigger(input_name="nothing")
def blocked(nothing):
    if first_time():
        threading.Event().wait()
    return "ran again"


@app.activity_trigger(input_name="nothing")
async def told(nothing):
    if first_time():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            print("told", flush=True)
            raise
    return "ran again"


@app.route(route="for-ever", auth_level="anonymous")
def for_ever(req: func.HttpRequest) -> str:
    print("begun", flush=True)
    threading.Event().wait()
    return ""
'''
)


def test_an_instance_that_waits_goes_on_after_a_stop(tmp_path: Path) -> None:
    folder = write_app(tmp_path / "app")
    with running(folder) as host:
        assert host.manage("POST", "/orchestrators/waiting/one").status == 202
        code = host.stop(signal.SIGTERM)

    with running(folder) as again:
        assert again.manage("POST", "/instances/one/raiseEvent/Go", {"a": 1}).status == 202
        assert result_of(again, "one") == {"a": 1}

    assert code == 0
    assert host.lines[-1] == "Stopping."


@pytest.mark.parametrize("activity", ["blocked", "told"])
def test_a_running_activity_does_not_hold_up_the_end_and_runs_again(
    tmp_path: Path, activity: str
) -> None:
    folder = write_app(tmp_path / "app", LONG)
    with running(folder) as host:
        host.manage("POST", "/orchestrators/calling/one", {"activity": activity})
        host.output.wait_for("begun")
        code = host.stop()

    with running(folder) as again:
        assert result_of(again, "one") == "ran again"

    assert code == 0
    assert "Traceback" not in host.text
    assert ("told" in host.lines) == (activity == "told")


def test_a_request_that_is_never_answered_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with running(write_app(tmp_path / "app", LONG)) as host:
        address = urlsplit(host.base)
        with socket.create_connection((str(address.hostname), address.port)) as caller:
            caller.sendall(b"GET /api/for-ever HTTP/1.1\r\nHost: x\r\n\r\n")
            host.output.wait_for("begun")

            assert host.stop() == 0
    assert "Traceback" not in host.text


def test_half_a_request_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with running(write_app(tmp_path / "app")) as host:
        address = urlsplit(host.base)
        halves = (
            b"GET /api/hello/Ada HT",
            b"POST /api/length HTTP/1.1\r\nContent-Length: 9\r\n\r\na",
        )
        callers = [socket.create_connection((str(address.hostname), address.port)) for _ in halves]
        for caller, half in zip(callers, halves, strict=True):
            caller.sendall(half)
        host.ask("GET", "/api/hello/Ada")

        assert host.stop() == 0
    for caller in callers:
        caller.close()
    assert "Traceback" not in host.text


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_every_start_that_was_answered_ends_after_a_stop_in_mid_work(
    tmp_path: Path, by: int
) -> None:
    folder = write_app(tmp_path / "app")
    with running(folder) as host:
        started = [host.manage("POST", "/orchestrators/chain").json()["id"] for _ in range(30)]
        host.stop(by)

    with running(folder) as again:
        assert [result_of(again, one) for one in started] == [4] * 30


def test_an_orchestrator_that_never_yields_does_not_hold_up_the_end(tmp_path: Path) -> None:
    folder = write_app(
        tmp_path / "app",
        SOUND
        + """
@app.orchestration_trigger(context_name="context")
def spinning(context):
    print("begun", flush=True)
    while True:
        pass
""",
    )
    with running(folder) as host:
        assert host.manage("POST", "/orchestrators/spinning/one").status == 202
        host.output.wait_for("begun")
        code = host.stop()

    assert code == 0
    assert "Traceback" not in host.text
