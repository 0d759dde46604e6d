"""durablehost as a person starts it: a process of its own, on a free port."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

_PATIENCE = 60.0  # seconds
_READY = r"Ready at (http://\S+) in"

Body = bytes | str | None


class Output:
    """What a process prints, read as it comes: it would stop where nobody reads."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._news = threading.Condition()
        self._at = 0
        self._ended = False
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._stream:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The next line that holds this, after the one found last."""
        until = time.monotonic() + _PATIENCE
        with self._news:
            while True:
                for number in range(self._at, len(self.lines)):
                    if found := re.search(pattern, self.lines[number]):
                        self._at = number + 1
                        return found
                if self._ended or not self._news.wait(until - time.monotonic()):
                    raise AssertionError(f"no {pattern!r} in:\n" + "\n".join(self.lines))

    def close(self) -> None:
        """Read what is left."""
        self._reader.join(_PATIENCE)
        self._stream.close()


@dataclass(frozen=True)
class Answer:
    """The answer to a request."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Started:
    """A running durablehost."""

    process: "subprocess.Popen[str]"
    output: Output
    base: str

    @property
    def lines(self) -> list[str]:
        return self.output.lines

    @property
    def text(self) -> str:
        return "\n".join(self.output.lines)

    def ask(
        self,
        method: str,
        path: str,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request; the path goes out as it is written."""
        address = urlsplit(self.base)
        connection = HTTPConnection(str(address.hostname), address.port, timeout=_PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())

    def manage(self, method: str, path: str, body: Any = None) -> Answer:
        """Send a request to the management API, with a body of JSON."""
        text = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json"}
        return self.ask(method, f"/runtime/webhooks/durabletask{path}", text, headers)

    def run_to_its_end(self, orchestrator: str, instance_id: str = "") -> Any:
        """Start an instance and wait for its output."""
        asked = f"/orchestrators/{orchestrator}/{instance_id}?timeout=60&pollingInterval=0.05"
        answer = self.manage("POST", asked)
        assert answer.status == 200, answer.text
        return answer.json()

    def stop(self, by: int = signal.SIGINT) -> int:
        """End it as Ctrl-C does; its exit code."""
        self.process.send_signal(by)
        code = self.process.wait(_PATIENCE)
        self.close()
        return code

    def close(self) -> None:
        self.output.close()


def start(
    folder: Path,
    *arguments: str | Path,
    environ: Mapping[str, str] | None = None,
    python: str | Path = sys.executable,
) -> Started:
    """Start durablehost on an app and wait until it is ready; AssertionError where it is not."""
    process, output = launch(
        "start", folder, "--port", "0", *arguments, environ=environ, python=python
    )
    try:
        return Started(process, output, output.wait_for(_READY)[1])
    except BaseException:
        process.kill()
        process.wait(_PATIENCE)
        output.close()
        raise


def names_its_port(arguments: Sequence[str | Path]) -> bool:
    """Whether durablehost does not listen on its default port, which anybody may use already."""
    return "start" not in arguments or "--port" in arguments or "--help" in arguments


def launch(
    *arguments: str | Path,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    python: str | Path = sys.executable,
) -> tuple["subprocess.Popen[str]", Output]:
    """durablehost with these arguments, and what it prints."""
    assert names_its_port(arguments)
    process = subprocess.Popen(
        [python, "-m", "durablehost", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **(environ or {})},
        cwd=cwd,
    )
    assert process.stdout is not None
    return process, Output(process.stdout)


@contextlib.contextmanager
def launched(
    *arguments: str | Path, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[tuple["subprocess.Popen[str]", Output]]:
    """durablehost with these arguments, ready or not; gone at the end, whatever happens."""
    process, output = launch(*arguments, environ=environ, cwd=cwd)
    try:
        yield process, output
    finally:
        process.kill()
        process.wait(_PATIENCE)
        output.close()


def outcome(
    *arguments: str | Path, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> tuple[int, str]:
    """The exit code of a durablehost that ends by itself, and all it printed."""
    with launched(*arguments, environ=environ, cwd=cwd) as (process, output):
        code = process.wait(_PATIENCE)
    return code, "\n".join(output.lines)


@contextlib.contextmanager
def running(
    folder: Path,
    *arguments: str | Path,
    environ: Mapping[str, str] | None = None,
    python: str | Path = sys.executable,
) -> Iterator[Started]:
    """A durablehost that is gone at the end, whatever happens."""
    started = start(folder, *arguments, environ=environ, python=python)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
        started.process.wait(_PATIENCE)
        started.close()


def read_keys(path: Path) -> dict[str, str]:
    """The keys that `--auth` made, as the conformance driver wants them in its environment."""
    keys = json.loads(path.read_text())
    return {
        "DURABLE_KEY": keys["durable"],
        "FUNCTION_KEY": keys["function"],
        "MASTER_KEY": keys["master"],
    }
