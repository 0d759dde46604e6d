"""devhost as a person starts it: a process of its own, on a free port."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_READY = re.compile(r"Ready at (http://\S+) in")


@dataclass
class Started:
    """A running devhost."""

    process: "subprocess.Popen[str]"
    base: str
    lines: list[str]
    reader: threading.Thread

    def stop(self, by: int = signal.SIGINT) -> int:
        """End it as Ctrl-C does; its exit code."""
        self.process.send_signal(by)
        code = self.process.wait(timeout=30)
        self.close()
        return code

    def close(self) -> None:
        """Read what is left of its output."""
        self.reader.join(timeout=30)
        assert self.process.stdout is not None
        self.process.stdout.close()


def start(
    folder: Path, *arguments: str | Path, environ: Mapping[str, str] | None = None
) -> Started:
    """Start devhost on an app and wait until it is ready; AssertionError where it is not."""
    process = subprocess.Popen(
        [sys.executable, "-m", "devhost", "start", folder, "--port", "0", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(environ or {})},
    )
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if found := _READY.match(line):
            # Somebody has to read on, or the process stops when the pipe is full.
            reader = threading.Thread(target=lines.extend, args=(process.stdout,), daemon=True)
            reader.start()
            return Started(process, found[1], lines, reader)
    process.wait(timeout=30)
    process.stdout.close()
    raise AssertionError("devhost did not start:\n" + "\n".join(lines))


@contextlib.contextmanager
def running(
    folder: Path, *arguments: str | Path, environ: Mapping[str, str] | None = None
) -> Iterator[Started]:
    """A devhost that is gone at the end, whatever happens."""
    started = start(folder, *arguments, environ=environ)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
        started.process.wait(timeout=30)
        started.close()


def read_keys(path: Path) -> dict[str, str]:
    """The keys that `--auth` made, as the conformance driver wants them in its environment."""
    keys = json.loads(path.read_text())
    return {
        "DURABLE_KEY": keys["durable"],
        "FUNCTION_KEY": keys["function"],
        "MASTER_KEY": keys["master"],
    }
