"""An Azurite for the tests marked `azurite`: the one named in the environment, or one of our own.

AZURITE_CONNECTION is the connection string of one that runs; AZURITE_COMMAND, a JSON list, is what
starts one.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
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


@pytest.fixture(scope="session")
def azurite_connection() -> Iterator[str]:
    """The connection string of an Azurite that answers; what it holds is gone afterwards."""
    if named := os.environ.get("AZURITE_CONNECTION"):
        yield named
        return
    flags = ["--silent", "--skipApiVersionCheck", "--disableTelemetry", "--inMemoryPersistence"]
    ports = [word for service in _SERVICES for word in (f"--{service.lower()}Port", "0")]
    process = subprocess.Popen(
        [*_command(), *flags, *ports], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with process:
        try:
            yield _ACCOUNT + _endpoints(process)
        finally:
            process.terminate()
            process.communicate()


def _command() -> list[str]:
    if command := os.environ.get("AZURITE_COMMAND"):
        return [str(word) for word in json.loads(command)]
    node = shutil.which("node")
    if node is None or not _SCRIPT.exists():
        pytest.skip("Azurite is not installed; `python dev.py setup` does it where Node is there")
    return [node, str(_SCRIPT)]


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
