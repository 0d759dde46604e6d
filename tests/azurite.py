"""An Azurite for the tests marked `azurite`: each worker of a test run starts one of its own.

AZURITE_CONNECTION names one that runs already. NO_AZURITE says why there is none.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parents[1] / ".azurite/node_modules/azurite/dist/src/azurite.js"
_SERVICES = ("Blob", "Queue", "Table")
_LISTENING = re.compile(r"Azurite (\w+) service is successfully listening at (\S+)")
# The account that every Azurite has; Microsoft publishes its key.
_ACCOUNT = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey="
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
)


def why_not() -> str:
    """Why no Azurite can be had here; empty where one can."""
    if os.environ.get("AZURITE_CONNECTION"):
        return ""
    if why := os.environ.get("NO_AZURITE"):
        return why
    if shutil.which("node") and _SCRIPT.exists():
        return ""
    return "Azurite is not installed: `python dev.py setup` installs it where Node is"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("azurite") and (why := why_not()):
        pytest.skip(why)


@pytest.fixture(scope="session")
def azurite_connection() -> Iterator[str]:
    """The connection string of an Azurite that answers; what it holds is gone afterwards."""
    if why := why_not():
        pytest.skip(why)
    with running_azurite() as connection:
        yield connection


@contextmanager
def running_azurite() -> Iterator[str]:
    """The Azurite that AZURITE_CONNECTION names, or one of our own; its connection string."""
    if named := os.environ.get("AZURITE_CONNECTION"):
        yield named
        return
    flags = ["--silent", "--skipApiVersionCheck", "--disableTelemetry", "--inMemoryPersistence"]
    ports = [word for service in _SERVICES for word in (f"--{service.lower()}Port", "0")]
    process = subprocess.Popen(
        [shutil.which("node") or "node", str(_SCRIPT), *flags, *ports],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield _ACCOUNT + _endpoints(process)
        finally:
            process.terminate()
            process.communicate()


def _endpoints(process: "subprocess.Popen[str]") -> str:
    """Read what Azurite prints until it says of every service where it listens."""
    assert process.stdout is not None
    found: dict[str, str] = {}
    printed = ""
    for line in process.stdout:
        printed += line
        if listening := _LISTENING.search(line):
            found[listening[1]] = f"{listening[2]}/devstoreaccount1"
        if len(found) == len(_SERVICES):
            return ";".join(f"{service}Endpoint={url}" for service, url in found.items())
    raise RuntimeError(f"Azurite ended before it listened:\n{printed}")
