"""This app under durablehost and the sandbox beside it, as processes, one of each for all tests."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
import requests

from tests.durablehost_process import running
from tests.source import ROOT, copy_app

PARTIES: Final = ("bank", "reader", "mail", "tax", "rates", "centralbank", "orders", "postings")
TAX_TOKEN: Final = "a-token-of-the-tests"
PATIENCE: Final = 60.0  # seconds


class Site:
    """One of the processes, spoken to over HTTP."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._session = requests.Session()

    def send(self, method: str, path: str, body: Any = None, key: str = "") -> requests.Response:
        """Send a request with a body of JSON; `key` makes it one that is done once."""
        headers = {"Idempotency-Key": key} if key else {}
        address = self.base + path
        return self._session.request(method, address, json=body, headers=headers, timeout=PATIENCE)

    def ended(self, operation: str) -> dict[str, Any]:
        """The operation once it has ended: a client asks again while the answer is 202."""
        return self._shown(operation, lambda answer: False)

    def at_step(self, operation: str, step: str) -> dict[str, Any]:
        """The operation once its custom status names this step."""
        return self._shown(
            operation, lambda answer: (answer.json()["customStatus"] or {}).get("step") == step
        )

    def read_until(self, path: str, wanted: dict[str, Any]) -> dict[str, Any]:
        """What a path shows once it shows this: what was accepted is done a moment later."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            shown: dict[str, Any] = self.send("GET", path).json()
            if wanted.items() <= shown.items():
                return shown
        raise AssertionError(f"{path} does not show {wanted} in {PATIENCE} seconds: {shown}")

    def _shown(
        self, operation: str, reached: Callable[[requests.Response], bool]
    ) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            answer = self.send("GET", f"/api/operations/{operation}")
            if answer.status_code != 202 or reached(answer):
                assert answer.ok, answer.text
                shown: dict[str, Any] = answer.json()
                return shown
        raise AssertionError(f"{operation} takes over {PATIENCE} seconds: {answer.text}")

    def close(self) -> None:
        self._session.close()


@pytest.fixture(scope="session")
def world() -> Iterator[Site]:
    """The sandbox."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    site = Site(process.stdout.readline().split()[-1].rstrip("/"))
    try:
        yield site
    finally:
        site.close()
        process.terminate()
        process.communicate(timeout=PATIENCE)


@pytest.fixture(scope="session")
def app_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_app(tmp_path_factory.mktemp("app"))


@pytest.fixture(scope="session")
def events_queue() -> str:
    """The queue of events that the app listens to; an Azurite may serve several apps."""
    return f"events-{uuid4()}"


@pytest.fixture(scope="session")
def api(
    world: Site,
    events_queue: str,
    app_folder: Path,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """The app; it knows the sandbox by its settings, and Azurite where that is installed."""
    environ = {f"{party.upper()}_URL": f"{world.base}/{party}" for party in PARTIES}
    environ |= {"DECISION_KEY": "a-key-for-tests-that-is-long-enough", "TAX_TOKEN": TAX_TOKEN}
    environ["VENDOR_EVENTS_QUEUE"] = events_queue
    # A message that fails is tried again at once, and not half a minute later.
    queues = "AzureFunctionsJobHost__extensions__queues__"
    environ |= {f"{queues}visibilityTimeout": "00:00:00", f"{queues}maxPollingInterval": "00:00:01"}
    with contextlib.suppress(pytest.skip.Exception):
        environ["AzureWebJobsStorage"] = request.getfixturevalue("azurite_connection")
    hub: Path = tmp_path_factory.mktemp("hub") / "hub.db"
    with running(app_folder, "--data", hub, environ=environ) as started:
        site = Site(started.base.rstrip("/"))
        try:
            yield site
        finally:
            site.close()
