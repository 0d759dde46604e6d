"""`make faults` in short: a few faults on one path, and an invariant that does not hold."""

import subprocess
import sys
from types import ModuleType

from durablehost.testing import ManualHub
from tests.faults.judging import judge
from tests.source import ROOT


def test_a_test_file_keeps_its_invariants_under_faults() -> None:
    path = "tests/blueprints/test_entity_counter_numbers.py"
    command = [sys.executable, "-m", "tests.faults", path, "-k", "concurrent", "--most", "4"]
    command += ["--seed", "1", "--workers", "1"]

    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "document_number" in ran.stdout
    assert ", 0 wrong;" in ran.stdout


async def test_an_invariant_that_does_not_hold_is_named(hub: ManualHub) -> None:
    async def invariant_nothing_is_there(hub: ManualHub) -> None:
        assert len(hub.instances()) == 1, "one is missing"

    module = ModuleType("a_test")
    vars(module)["invariant_nothing_is_there"] = invariant_nothing_is_there

    judged = await judge(hub, {"hub": hub}, module)

    assert (judged.held, list(judged.broken)) == (set(), ["invariant_nothing_is_there"])
