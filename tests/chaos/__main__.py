"""The long form: `python -m tests.chaos [--kills 200] [--seed N]`."""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.audit import Audit
from tests.chaos.sweep import in_folder

_FIGURES = (
    ("instances lost", "lost"),
    ("instances stuck", "stuck"),
    ("instances that ended twice", "ended_twice"),
    ("instances with a wrong end", "wrong"),
    ("events lost", "events_missing"),
    ("events that came twice", "events_doubled"),
    ("entity operations lost", "operations_missing"),
    ("entity operations applied twice", "operations_doubled"),
    ("senders whose operations were mixed up", "operations_out_of_order"),
    ("activities that never ran", "activities_missing"),
    ("things left in the hub, or damaged", "left_in_hub"),
)
_WORDS_SHOWN = 50


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None, help="repeats the moments of the kills")
    given = parser.parse_args()
    seed = random.randrange(1 << 31) if given.seed is None else given.seed
    print(f"{given.kills} kills at random moments, seed {seed}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = in_folder(Path(folder), given.kills, seed, lambda text: print(text, flush=True))
    _show(found, given.kills, time.monotonic() - began)
    return 1 if found.misses else 0


def _show(found: Audit, kills: int, seconds: float) -> None:
    for words in found.words[:_WORDS_SHOWN]:
        print(f"- {words}")
    rows = [("kills", kills), ("seconds", round(seconds)), ("instances", found.instances)]
    rows += [("events", found.events), ("entity operations", found.operations)]
    rows += [("activities", found.activities), ("activity runs repeated", found.activities_again)]
    rows += [(name, getattr(found, figure)) for name, figure in _FIGURES]
    width = max(len(name) for name, _ in rows)
    for name, figure in rows:
        print(f"{name:<{width}}  {figure:>7}")


if __name__ == "__main__":
    sys.exit(main())
