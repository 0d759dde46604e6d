"""The sandbox as a process."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sandbox", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to send")
def test_it_says_where_it_listens_and_ends_when_asked_to(end):
    with start("--port", "0") as process:
        assert process.stdout
        address = re.search(r"http://\S+", process.stdout.readline())
        assert address
        with urllib.request.urlopen(address[0]) as answer:
            assert answer.status == 200

        process.send_signal(end)

        assert process.wait(10) == 0


def test_a_taken_port_is_one_clear_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with start("--port", str(port)) as process:
            said, _ = process.communicate(timeout=10)

    assert process.returncode == 1
    assert said.startswith(f"cannot listen on 127.0.0.1:{port}: ")
    assert len(said.splitlines()) == 1
