"""All patterns at once over HTTP, with faults on: `make load`.

Callers send the requests of the smoke test, one for each pattern, again and again, and follow each
to its end. Meanwhile every other system fails and loses answers. Then nothing fails any more, and
what was started has to have ended or to wait. Needs Azurite.
"""

import argparse
import contextlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import requests
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

from deployment.smoke import CHECKS, Check, Seen, Smoke
from tests.azurite import running_azurite, why_not
from tests.bound_settings import bound_settings
from tests.durablehost_process import Started, running
from tests.load.audit import Sent, audit, collect
from tests.processes import PARTIES, Site
from tests.source import ROOT, copy_app

_FAULTS: Final = ("bank.debits", "bank.credits", "postings", "mail", "orders", "reader", "rates")
_ONE_IN: Final = 20
_A_SAMPLE: Final = 5.0  # seconds between two looks at the memory
_PARTS: Final = (50, 90, 99)  # percentiles


class Caller(Smoke):
    """Sends requests as the smoke test does, and notes how long each start takes."""

    load: "Load"

    def _post(
        self, session: requests.Session, check: Check, names: Mapping[str, str]
    ) -> requests.Response:
        began = time.monotonic()
        answer = super()._post(session, check, names)
        self.load.starts[check.pattern].append(time.monotonic() - began)
        if not check.read and "Location" in answer.headers:
            self.load.accepted.append(_id_in(answer.headers["Location"]))
        return answer

    def check(self, check: Check, kept: str = "") -> Seen:
        seen = super().check(check, kept)
        self.load.note(check, seen)
        return seen


class Load:
    """What all callers have sent, and what came of it."""

    def __init__(self, app: str, sandbox: str) -> None:
        self._addresses = app, sandbox
        self.starts: dict[str, list[float]] = defaultdict(list)
        self.ends: dict[str, list[float]] = defaultdict(list)
        self.unlike: Counter[str] = Counter()  # ended otherwise than the smoke test wants
        self.why_unlike: dict[str, str] = {}  # the last of each pattern
        self.accepted: list[str] = []
        self.ended: list[str] = []
        self.read: dict[str, Mapping[str, Any]] = {}

    def call_until(self, end: float) -> None:
        while time.monotonic() < end:
            app, sandbox = self._addresses
            caller = Caller(app, key="", sandbox=sandbox, within=60.0, pause=0.2)
            caller.load = self
            caller.checks()

    def note(self, check: Check, seen: Seen) -> None:
        self.ends[seen.pattern].append(seen.seconds)
        if seen.wrong:
            self.unlike[seen.pattern] += 1
            self.why_unlike[seen.pattern] = seen.wrong
        elif check.read:
            self.read[urlsplit(seen.what).path] = check.ends
        elif not check.deletes:
            self.ended.append(_id_in(seen.what))


def _id_in(location: str) -> str:
    return unquote(location.rpartition("/")[2].partition("?")[0])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--callers", type=int, default=2, help="each sends all patterns at once")
    given = parser.parse_args()
    if why := why_not():
        print(f"it needs Azurite: {why}")
        return 1
    with _app_and_sandbox() as (started, app, sandbox):
        for place in _FAULTS:
            # Only what the app sends: callers read their mails themselves.
            fault = {"on": place, "one_in": _ONE_IN, "method": "POST"}
            sandbox.send("POST", "/faults", fault)
            sandbox.send("POST", "/faults", fault | {"what": "lose_answer"})
        load = Load(app.base, sandbox.base)
        memory: list[float] = []
        done = threading.Event()
        watch = threading.Thread(target=_watch_memory, args=(started.process.pid, memory, done))
        watch.start()
        began = time.monotonic()
        with ThreadPoolExecutor(given.callers) as pool:
            for each in [
                pool.submit(load.call_until, began + given.seconds) for _ in range(given.callers)
            ]:
                each.result()
        seconds = time.monotonic() - began
        sandbox.send("DELETE", "/faults")
        sent = Sent(load.accepted, load.ended, load.read)
        found = audit(collect(app, sandbox, sent), sent)
        done.set()
        watch.join()
    _show(load, seconds, memory)
    found.show()
    return 1 if found.wrong else 0


@contextlib.contextmanager
def _app_and_sandbox() -> Iterator[tuple[Started, Site, Site]]:
    command = [sys.executable, "-m", "sandbox", "--port", "0"]
    with (
        tempfile.TemporaryDirectory() as folder,
        running_azurite() as storage,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process,
    ):
        assert process.stdout is not None
        sandbox = Site(process.stdout.readline().split()[-1].rstrip("/"))
        environ = {f"{party.upper()}_URL": f"{sandbox.base}/{party}" for party in PARTIES}
        environ |= {"DECISION_KEY": "a-key-for-tests-that-is-long-enough", "TAX_TOKEN": "any"}
        environ |= {**bound_settings(), "AzureWebJobsStorage": storage}
        with BlobServiceClient.from_connection_string(storage) as blobs:
            for name in ("invoices", "scans"):
                with contextlib.suppress(ResourceExistsError):
                    blobs.create_container(name)
        try:
            app = copy_app(Path(folder))
            with running(app, "--data", Path(folder) / "hub.db", environ=environ) as started:
                yield started, Site(started.base.rstrip("/")), sandbox
        finally:
            process.terminate()


def _watch_memory(pid: int, memory: list[float], done: threading.Event) -> None:
    while not done.wait(_A_SAMPLE):
        status = Path(f"/proc/{pid}/status")
        if status.exists() and (found := re.search(r"VmRSS:\s+(\d+)", status.read_text("utf-8"))):
            memory.append(int(found[1]) / 1024)


def _show(load: Load, seconds: float, memory: list[float]) -> None:
    count = sum(map(len, load.starts.values()))
    print(f"{count} requests started work in {seconds:.0f} s on {os.cpu_count()} cores")
    starts_and_ends = " ".join(f"{f'p{part}':>7}" for part in _PARTS)
    print(f"{'':20} {'':>6}   start, ms {'':11}   end, s")
    print(f"{'pattern':20} {'sent':>6} {starts_and_ends} {starts_and_ends} {'other end':>10}")
    for pattern in [check.pattern for check in CHECKS]:
        starts, ends = load.starts[pattern], load.ends[pattern]
        if starts and ends:
            figures = [f"{1000 * _part(starts, part):>7.0f}" for part in _PARTS]
            figures += [f"{_part(ends, part):>7.1f}" for part in _PARTS]
            print(f"{pattern:20} {len(starts):>6} {' '.join(figures)} {load.unlike[pattern]:>10}")
    for pattern, why in load.why_unlike.items():
        print(f"the last other end of {pattern}: {why}")
    if memory:
        step = max(1, len(memory) // 10)
        print("memory of durablehost in MB:", " ".join(f"{each:.0f}" for each in memory[::step]))


def _part(values: list[Any], percent: int) -> float:
    if len(values) == 1:
        return float(values[0])
    return float(statistics.quantiles(values, n=100, method="inclusive")[percent - 1])


if __name__ == "__main__":
    sys.exit(main())
