"""durablehost answers as the real host was recorded to answer, in every step of every scenario."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.durablehost_process import read_keys, running

HERE = Path(__file__).parent
DRIVERS = 5  # side by side: five scenarios wait out limits of up to 45 seconds
CLOSING = re.compile(r"(\d+) scenarios, (\d+) answers differ")


def play(folder: Path, tmp_path: Path) -> tuple[int, int, str]:
    """How many scenarios were played, how many answers differ, and what the driver said."""
    recorded = folder / "recorded.json"
    keys = tmp_path / "keys.json"
    with running(folder, "--data", tmp_path / "hub.db", "--auth", keys) as host:
        drivers = [
            drive(host.base, recorded, names, read_keys(keys), mock_port=7902 if first else 0)
            for first, names in shares(list(json.loads(recorded.read_text())))
        ]
        said = "".join(driver.communicate()[0] for driver in drivers)
    closings = CLOSING.findall(said)
    assert len(closings) == len(drivers), said
    played, different = (sum(map(int, column)) for column in zip(*closings, strict=True))
    return played, different, said


def shares(names: Sequence[str]) -> list[tuple[bool, list[str]]]:
    """The scenarios dealt out; those that need the driver's own server go to the first."""
    calling = [name for name in names if name.startswith("http_")]
    others = [name for name in names if name not in calling]
    dealt = [others[number::DRIVERS] for number in range(DRIVERS)]
    dealt[0] += calling
    return [(number == 0, share) for number, share in enumerate(dealt) if share]


def drive(
    base: str, recorded: Path, names: list[str], keys: dict[str, str], mock_port: int
) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", HERE / "drive.py", "check", base, recorded, *names],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **keys, "MOCK_PORT": str(mock_port)},
    )


def test_no_answer_of_the_durable_extension_differs(tmp_path: Path) -> None:
    played, different, said = play(HERE / "durable", tmp_path)

    assert (played, different) == (239, 0), said


def test_no_answer_of_an_http_trigger_differs_but_for_its_recording_over_https(
    tmp_path: Path,
) -> None:
    """`binding` was recorded where the host's own addresses begin with https and the caller's
    with http, and was then written as if they were one; so it says that they differ. Here, as
    under `func start`, they are the same."""
    played, different, said = play(HERE / "http", tmp_path)
    answers = re.findall(r"^  (want|have) (.*)$", said, re.MULTILINE)
    bodies = [json.loads(answer)["body"] for _, answer in answers]

    assert (played, different) == (10, 2), said
    assert [body.pop("same") for body in bodies] == [False, True, False, True]
    assert bodies[0] == bodies[1]
    assert bodies[2] == bodies[3]
