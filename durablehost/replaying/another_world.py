"""Runs recordings again in another process, where clock, ids, random values and hashes differ.

Code that depends on one of them does something else there. The process runs
`python -m durablehost.replaying.another_world` with the app's folder, the recordings and the file
for its answer as a line of JSON on its standard input.
"""

import ctypes
import datetime as clock_module
import gc
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from durablehost.app.functions import FunctionTable
from durablehost.app.loading import load_app
from durablehost.episodes.scheduled import CreateTimer, Scheduled
from durablehost.hub.history import stamp
from durablehost.replaying.checking import boundaries_of
from durablehost.replaying.findings import Finding
from durablehost.replaying.recording import Recording, read
from durablehost.replaying.rerun import Rerun, rerun

# Another hour, day, month and year.
_LATER: Final = clock_module.timedelta(days=407, hours=13, minutes=7, seconds=11)

Did = tuple[str, str]  # what a run did, and at which line
Runs = list[list[Did]]  # a list for each boundary


class AnotherWorld:
    """Another process that runs recordings, from its creation to `runs`."""

    def __init__(self, app: Path, files: Sequence[Path], scratch: Path) -> None:
        self._answer = scratch / "another_world.json"
        asked = {
            "app": str(app.resolve()),
            "files": [str(file.resolve()) for file in files],
            "answer": str(self._answer),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": _other_seed()},
        )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked))
        self._process.stdin.close()
        self._process.stdin = None  # or `communicate` would write to it

    def runs(self) -> list[Runs]:
        """What the runs there did, for each file. Raises RuntimeError."""
        _, said = self._process.communicate()
        if self._process.returncode:
            raise RuntimeError(f"the second process failed:\n{said}")
        answer: list[Runs] = json.loads(self._answer.read_text("utf-8"))
        return answer


def _other_seed() -> str:
    """A hash seed that this process has not."""
    ours = os.environ.get("PYTHONHASHSEED", "")
    return str((int(ours) + 1) % 4_294_967_296) if ours.isdigit() else "1"


def unstable(runs: Runs, runs_elsewhere: Runs) -> Finding | None:
    """The first difference between the runs in two processes."""
    for here, there in zip(runs, runs_elsewhere, strict=True):
        for number in range(max(len(here), len(there))):
            one = here[number] if number < len(here) else ("nothing more", "")
            other = there[number] if number < len(there) else ("nothing more", "")
            if one[0] != other[0]:
                where = f"what the code did as number {number + 1} of {len(here)}"
                return Finding(
                    "unstable",
                    "unstable",
                    where,
                    f"in the first process {one[0]}",
                    f"in a second process {other[0]}",
                    one[1] or other[1],
                )
    return None


def runs_of(table: FunctionTable, recording: Recording) -> Runs:
    """All that the code does with a recording, at each boundary."""
    return [_did(rerun(table, past)) for past in boundaries_of(recording)]


def _did(run: Rerun) -> list[Did]:
    tasks = [task for _, task in run.walk.tasks.matched]
    tasks += run.walk.tasks.scheduled.values()
    done = [(_described(task), task.place) for task in tasks]
    status = json.dumps(run.state.custom_status)
    return [*done, (f"the status {run.status}, {run.output_text}, {status}", run.last_place)]


def _described(task: Scheduled) -> str:
    if isinstance(task, CreateTimer):
        return f"the timer for {stamp(task.fire_at)}"
    return f"{task.describe()} with {task.input}"


def _move_clock() -> None:
    """Let every clock that code reads show another time. `datetime` is a type in C."""
    real_time = time.time
    time.time = lambda: real_time() + _LATER.total_seconds()
    time.time_ns = lambda: int(time.time() * 1e9)

    def now(cls: type[Any], tz: Any = None) -> Any:
        return cls.fromtimestamp(time.time(), tz)

    def utcnow(cls: type[Any]) -> Any:
        return cls.fromtimestamp(time.time(), clock_module.UTC).replace(tzinfo=None)

    def today(cls: type[Any]) -> Any:
        return cls.fromtimestamp(time.time())

    _replace(clock_module.datetime, now=now, utcnow=utcnow, today=today)
    _replace(clock_module.date, today=today)


def _replace(kind: type[object], **methods: Callable[..., Any]) -> None:
    """Replace class methods of a type in C, for this process."""
    [attributes] = [each for each in gc.get_referents(vars(kind)) if isinstance(each, dict)]
    attributes |= {name: classmethod(method) for name, method in methods.items()}
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))


def _main() -> None:
    asked = json.loads(sys.stdin.read())
    _move_clock()
    random.seed(1)
    table = load_app(Path(asked["app"]))
    answer = [runs_of(table, read(Path(file))) for file in asked["files"]]
    Path(asked["answer"]).write_text(json.dumps(answer), "utf-8")


if __name__ == "__main__":
    _main()
