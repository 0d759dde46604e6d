"""Plays recorded scenarios against durablehost and finds the answers that differ."""

import http.server
import json
import re
import shutil
import threading
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.conformance import drive
from tests.durablehost_process import running

HERE: Final = Path(__file__).parent
FOLDERS: Final = ("durable", "http", "changes", "more", "timeouts", "versions")

# These take twelve seconds each, one after the other. Only `make conformance` plays them.
SLOW: Final = {"timeouts": ("http_sync", "http_async", "orchestrator_spins", "entity_spins")}

# The driver serves what the `http_*` scenarios call. The recordings name this address; a play
# replaces it by one with a free port, so that several plays can run side by side.
_RECORDED_SERVER: Final = "127.0.0.1:7902"
_SCENARIOS_AT_ONCE: Final = 32  # most of them only wait
_QUICK_WAIT: Final = 8  # seconds
_COUNT: Final = re.compile(r"(?<=/)\d+$")
_KEYS: Final = {
    "master": "a-master-key",
    "function": "a-function-key",
    "durable": "a-durable-key",
    "blobs": "a-blobs-key",
}

Scenario = dict[str, Any]
Answer = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """An answer that differs from the recorded one."""

    step: int
    asked: Any
    want: Answer
    have: Answer

    def __str__(self) -> str:
        asked, want, have = (json.dumps(part) for part in (self.asked, self.want, self.have))
        return f"step {self.step} {asked}\n  want {want}\n  have {have}"


@dataclass(frozen=True)
class Played:
    """The result of playing scenarios of one folder."""

    answers: int  # how many were compared
    differences: Mapping[str, list[Difference]]  # by scenario; empty where all answers agree

    @property
    def differing(self) -> set[str]:
        """The scenarios with answers that differ."""
        return {name for name, found in self.differences.items() if found}

    def __str__(self) -> str:
        return "\n".join(
            f"{name} {difference}"
            for name, found in self.differences.items()
            for difference in found
        )


@contextmanager
def plays(
    folders: Collection[str],
    scratch: Path,
    *,
    names: Collection[str] = (),
    environ: Mapping[str, str] | None = None,
    quick: bool = False,
) -> Iterator[dict[str, "Future[Played]"]]:
    """Play folders side by side: all their scenarios, unless some are named.

    A quick play leaves out the slow scenarios, shortens the waits of which the recording says that
    nothing comes of them, and ends a scenario at its first difference.
    """
    with _called_server() as server, ThreadPoolExecutor() as pool:
        yield {
            folder: pool.submit(_play, folder, scratch, server, names, environ or {}, quick)
            for folder in folders
        }


def _play(
    folder: str,
    scratch: Path,
    server: str,
    names: Collection[str],
    environ: Mapping[str, str],
    quick: bool,
) -> Played:
    text = (HERE / folder / "recorded.json").read_text("utf-8")
    recorded: dict[str, Scenario] = json.loads(_with_server(text, server))
    left_out = SLOW.get(folder, ()) if quick else ()
    played = [name for name in names or recorded if name not in left_out]
    chosen = {name: _asking_for_all(recorded[name]) for name in played}
    if quick:
        chosen = {name: _shortened(scenario) for name, scenario in chosen.items()}
    app = _copy(folder, scratch / folder, server)
    keys = scratch / f"{folder}.keys.json"
    keys.write_text(json.dumps(_KEYS))
    at_once = 1 if folder == "timeouts" else _SCENARIOS_AT_ONCE  # its functions block each other
    with (
        running(app, "--data", scratch / f"{folder}.db", "--auth", keys, environ=environ) as host,
        ThreadPoolExecutor(at_once) as pool,
    ):
        found = pool.map(lambda name: _differences(host.base, name, chosen[name], quick), chosen)
        differences = dict(zip(chosen, found, strict=True))
        # Some scenarios change the code within the second that an activity still runs. A machine
        # that is busy with the others may miss it, so what differs is played once more by itself.
        for name in [name for name, found in differences.items() if found]:
            differences[name] = _differences(host.base, name, chosen[name], quick)
    answers = [answer for scenario in chosen.values() for answer in scenario["answers"]]
    return Played(sum(answer is not None for answer in answers), differences)


def _asking_for_all(scenario: Scenario) -> Scenario:
    """A scenario that waits for as many messages as the recording has.

    The recording waits for the first one, and on the real host all were there by then.
    """
    steps = [
        {**step, "until": _COUNT.sub(str(len(want["body"])), step["until"])}
        if "until" in step and want["in_time"]
        else step
        for step, want in zip(scenario["steps"], scenario["answers"], strict=True)
    ]
    return {**scenario, "steps": steps}


def _shortened(scenario: Scenario) -> Scenario:
    """A scenario with short waits for messages that never come."""
    steps = [
        {**step, "timeout": min(step["timeout"], _QUICK_WAIT)}
        if "timeout" in step and (want or {}).get("in_time") is False
        else step
        for step, want in zip(scenario["steps"], scenario["answers"], strict=True)
    ]
    return {**scenario, "steps": steps}


def _differences(base: str, name: str, scenario: Scenario, quick: bool) -> list[Difference]:
    player = drive.Player(base, name, _KEYS["durable"])
    player.saved.update(function_key=_KEYS["function"], master_key=_KEYS["master"])
    found: list[Difference] = []
    for number, (step, want) in enumerate(zip(scenario["steps"], scenario["answers"], strict=True)):
        have = _answer(player, step)
        if want is not None and not drive.same(want, have):
            found.append(Difference(number, step, want, have))
            if quick:
                break
    return found


def _answer(player: Any, step: Any) -> Answer:
    try:
        answer: Answer = player.step(step)
    except Exception as error:  # an answer the driver cannot read differs, and the play goes on
        return {"driver_error": f"{type(error).__name__}: {error}"}
    return answer


@contextmanager
def _called_server() -> Iterator[str]:
    """The driver's server on a free port; its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), drive.Mock)
    drive.MOCK_PORT = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _copy(folder: str, to: Path, server: str) -> Path:
    """A copy of the probe app that calls the driver's server on its present port."""
    shutil.copytree(HERE / folder, to, ignore=shutil.ignore_patterns("recorded.json"))
    app = to / "function_app.py"
    app.write_text(_with_server(app.read_text("utf-8"), server), "utf-8")
    return to


def _with_server(text: str, server: str) -> str:
    return text.replace(_RECORDED_SERVER, server)
