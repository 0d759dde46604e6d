"""Run the tests of the patterns with one fault at a time: `make faults`.

Each test is a path through its orchestrators. A run has one fault: an activity fails once, always
fails, runs twice or times out; the process dies after a commit; an event comes early, late,
twice, never or malformed; completions of one moment are shuffled. `--seed` repeats the runs.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Final

from tests.source import ROOT

_ENDS: Final = ("ended", "failed as designed", "waits", "same without it", "wrong")
_PROGRESS_SECONDS: Final = 60
_SHOWN: Final = 40

Result = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tests", nargs="*", default=["tests/blueprints"], help="files of tests")
    parser.add_argument("-k", dest="chosen", default="", help="only tests with these names")
    parser.add_argument("--most", type=int, default=6, help="faults for each test")
    parser.add_argument("--only", default="", help="only faults with this text")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    seed = random.randrange(1 << 31) if given.seed is None else given.seed
    print(f"seed {seed}, at most {given.most} faults for each test", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        said = _run(given, seed, folder)
        results = [
            json.loads(line)
            for file in sorted(Path(folder).glob("*.jsonl"))
            for line in file.read_text("utf-8").splitlines()
        ]
    if not results:
        print(said)
        return 1
    return _show(results, seed, time.monotonic() - began)


def _run(given: argparse.Namespace, seed: int, folder: str) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.faults.faulty_runs"]
    command += ["-p", "no:cacheprovider", "-W", "ignore", *given.tests]
    command += ["-k", given.chosen] if given.chosen else []
    command += ["-n", str(given.workers), "--dist", "load"] if given.workers > 1 else []
    environ = {"FAULTS_RESULTS": folder, "FAULTS_SEED": str(seed), "FAULTS_MOST": str(given.most)}
    environ["FAULTS_ONLY"] = given.only
    said = Path(folder, "pytest.txt")
    with (
        said.open("w") as output,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environ},
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as running,
    ):
        while running.poll() is None:
            try:
                running.wait(_PROGRESS_SECONDS)
            except subprocess.TimeoutExpired:
                print(f"{_runs_so_far(folder)} runs so far", flush=True)
    return said.read_text("utf-8")


def _runs_so_far(folder: str) -> int:
    files = Path(folder).glob("*.jsonl")
    return sum('"fault"' in line for file in files for line in file.read_text("utf-8").splitlines())


def _show(results: list[Result], seed: int, seconds: float) -> int:
    all_runs = [each for each in results if "fault" in each]
    held_up = sum("held_up" in each for each in all_runs)
    runs = [
        each
        for each in all_runs
        if "held_up" not in each and (each["has_happened"] or each["wrong"])
    ]
    wrong = [each for each in runs if each["wrong"]]
    for each in wrong[:_SHOWN]:
        fault = each["fault"]
        print(f"\n{each['test']}\n  fault: {fault}")
        print("\n".join(f"  wrong: {words}" for words in each["wrong"]))
        arguments = f"'{each['test']}' --only '{fault}' --seed {seed}"
        print(f'  again: make faults ARGS="{arguments}"')
    left_out = Counter(each["left_out"] for each in results if "left_out" in each)
    for why, tests in left_out.items():
        print(f"{tests} tests were left out: {why}")
    _show_orchestrators(runs)
    _show_kinds(runs)
    paths = len({each["test"] for each in runs})
    print(
        f"\n{len(runs)} runs of {paths} tests in {seconds:.0f} s, {len(wrong)} wrong;"
        f" not counted: {len(all_runs) - len(runs) - held_up} runs that did not come to the place"
        f" of their fault, and {held_up} in which an activity waits for the test"
    )
    return 1 if wrong else 0


def _show_orchestrators(runs: list[Result]) -> None:
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for each in runs:
        names = {name for name, _ in each["instances"]}
        for name in names or {"(entities alone)"}:
            table[name]["runs"] += 1
            table[name]["invariants"] += len(each["held"])
            table[name]["wrong runs"] += bool(each["wrong"])
        for name, end in each["instances"]:
            table[name][end.partition(":")[0]] += 1
    print(f"\n{'orchestrator':22} {'runs':>6} {'instances':>9}", end="")
    print("".join(f" {end:>18}" for end in _ENDS), f"{'invariants held':>16} {'wrong runs':>11}")
    for name, row in sorted(table.items()):
        instances = sum(row[end] for end in _ENDS)
        print(f"{name:22} {row['runs']:>6} {instances:>9}", end="")
        print("".join(f" {row[end]:>18}" for end in _ENDS), end="")
        print(f" {row['invariants']:>16} {row['wrong runs']:>11}")


def _show_kinds(runs: list[Result]) -> None:
    print(f"\n{'fault':40} {'runs':>6} {'wrong runs':>11}")
    counts = Counter(each["kind"] for each in runs)
    wrong = Counter(each["kind"] for each in runs if each["wrong"])
    for kind, count in sorted(counts.items()):
        print(f"{kind:40} {count:>6} {wrong[kind]:>11}")


if __name__ == "__main__":
    sys.exit(main())
