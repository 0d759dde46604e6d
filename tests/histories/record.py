"""Record histories of instances in flight: `python -m tests.histories.record -k delivery`.

A function `record_…` in `in_flight_<pattern>.py` starts an instance of the app and stops where it
waits; `hub.record` writes its history. Arguments go to pytest: `-k` chooses the functions.

A history that no longer replays shows what a deployment would do to running instances. Change the
code then, or its version. Record again only if no such instance can exist.
"""

import sys
from pathlib import Path

import pytest


def main(arguments: list[str]) -> int:
    collected = ["-o", "python_files=in_flight_*.py", "-o", "python_functions=record_*"]
    here = str(Path(__file__).parent)
    options = ["-p", "no:cacheprovider", f"--record={here}"]
    return pytest.main([*collected, *options, here, *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
