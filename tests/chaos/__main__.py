"""Kills durablehost at random for long; `--seed N` repeats the random choices.

First a sweep over an app of everything that durablehost can do, which is killed --kills times. Then
--payments payments of the app at the root, with a kill for every twenty. Then --approvals approvals
and --documents documents, with a kill for every ten; documents need Azurite. 0 leaves a part out.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.azurite import why_not
from tests.chaos import decisions, payments, sweep
from tests.chaos.audit import Audit

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
_PAYMENTS_A_KILL = 20
_DECISIONS_A_KILL = 10


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--payments", type=int, default=500)
    parser.add_argument("--approvals", type=int, default=100)
    parser.add_argument("--documents", type=int, default=50)
    parser.add_argument("--seed", type=int, default=None, help="repeats the random choices")
    given = parser.parse_args()
    seed = random.randrange(1 << 31) if given.seed is None else given.seed
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        if given.kills:
            wrong += _sweep(Path(folder), given.kills, seed)
        if given.payments:
            wrong += _pay(Path(folder), given.payments, seed)
        if given.approvals or given.documents:
            wrong += _decide(Path(folder), given.approvals, given.documents, seed)
    return 1 if wrong else 0


def _sweep(folder: Path, kills: int, seed: int) -> int:
    _say(f"{kills} kills at random moments, seed {seed}")
    began = time.monotonic()
    found = sweep.in_folder(folder, kills, seed, _say)
    _show(found, kills, time.monotonic() - began)
    return found.misses


def _pay(folder: Path, count: int, seed: int) -> int:
    kills = max(1, count // _PAYMENTS_A_KILL)
    _say(f"{count} payments, {kills} kills, seed {seed}")
    began = time.monotonic()
    found = payments.in_folder(folder, count, kills, seed, _say)
    _say(f"{time.monotonic() - began:.0f} seconds")
    found.show()
    return len(found.wrong)


def _decide(folder: Path, approvals: int, documents: int, seed: int) -> int:
    if documents and (why := why_not()):
        _say(f"leaving out the documents: {why}")
        documents = 0
    kills = max(1, (approvals + documents) // _DECISIONS_A_KILL)
    _say(f"{approvals} approvals and {documents} documents, {kills} kills, seed {seed}")
    began = time.monotonic()
    found = decisions.in_folder(folder, approvals, documents, kills, seed, _say)
    _say(f"{time.monotonic() - began:.0f} seconds")
    found.show()
    return len(found.wrong)


def _say(text: str) -> None:
    print(text, flush=True)


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
