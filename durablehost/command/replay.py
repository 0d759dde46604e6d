"""`durablehost replay`: says what the code of today does with recorded or running instances."""

import argparse
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from durablehost.app.functions import FunctionTable
from durablehost.app.loading import load_app
from durablehost.command import console
from durablehost.errors import CannotStart
from durablehost.replaying.another_world import AnotherWorld, runs_of, unstable
from durablehost.replaying.asking_host import HostAsked
from durablehost.replaying.checking import check
from durablehost.replaying.findings import VERDICTS, Finding, Verdict, lines_of, verdict_of
from durablehost.replaying.reconstructing import reconstruct
from durablehost.replaying.recording import Recording, accepting, files_in, read, write
from durablehost.settings import load_settings

_FOUND: Final = 1


def run(given: argparse.Namespace) -> int:
    """Replay; 0 if all fit, 1 if not. Raises CannotStart."""
    folder = Path(given.app).resolve()
    places = [Path(each).resolve() for each in given.histories]
    load_settings(folder, os.environ)
    table = load_app(folder)
    with tempfile.TemporaryDirectory() as scratch:
        if given.against:
            files = _fetched(table, given.against, given.limit, Path(scratch))
        else:
            files = files_in(places or [folder / "tests" / "histories"])
            if not files:
                raise CannotStart("There are no histories. `durablehost record` writes them.")
        found = _check(table, folder, files, Path(scratch))
    for file, recording, findings in found:
        _show("" if given.against else str(file), recording, findings)
    if given.update and not given.against:
        return _accept(found)
    return _summary(found)


def _fetched(table: FunctionTable, url: str, most: int, scratch: Path) -> list[Path]:
    files = []
    for number, shown in enumerate(HostAsked(url).running(most)):
        try:
            recording = reconstruct(table, shown)
        except (ValueError, KeyError, TypeError) as error:
            why = f"{type(error).__name__}: {error}"
            console.say(f"left out {shown.get('instanceId')}: its history cannot be read ({why})")
            continue
        files.append(scratch / f"{number:04}.json")
        write(recording, files[-1])
    return files


Checked = tuple[Path, Recording, list[Finding]]


def _check(
    table: FunctionTable, folder: Path, files: Sequence[Path], scratch: Path
) -> list[Checked]:
    """Check each recording, while another process runs them as well."""
    recordings = [read(file) for file in files]
    world = AnotherWorld(folder, files, scratch)
    found = [check(table, recording) for recording in recordings]
    runs = [runs_of(table, recording) for recording in recordings]
    for recording, findings, here, there in zip(recordings, found, runs, world.runs(), strict=True):
        finding = unstable(here, there)
        if finding is not None and finding.key not in recording.accepted:
            findings.append(finding)
    return list(zip(files, recordings, found, strict=True))


def _show(file: str, recording: Recording, findings: Sequence[Finding]) -> None:
    if not findings:
        return
    about = f"{recording.orchestrator}, {len(recording.events)} events"
    if recording.reconstructed:
        about += ", reconstructed: timers are not compared"
    console.say(f"{file or recording.instance} ({about})")
    for finding in findings:
        console.say("\n".join(f"  {line}" for line in lines_of(recording.instance, finding)))
    console.say()


def _accept(found: Sequence[Checked]) -> int:
    """Write into each file which of its findings are wanted; nothing is wanted of what fails."""
    left = 0
    for file, recording, findings in found:
        keys = [each.key for each in findings if each.verdict != "fails"]
        left += len(findings) - len(keys)
        if keys:
            write(accepting(recording, keys), file)
            console.say(f"accepted in {file}: {', '.join(keys)}")
    if left:
        console.say(
            "What fails cannot be accepted: delete the history if no such instance is left."
        )
    return _FOUND if left else 0


def _summary(found: Sequence[Checked]) -> int:
    verdicts: Counter[Verdict] = Counter(verdict_of(findings) for _, _, findings in found)
    parts = [f"{verdicts[each]} {each}" for each in VERDICTS if verdicts[each]]
    histories = f"{len(found)} {'history' if len(found) == 1 else 'histories'}"
    console.say(f"{histories}: {', '.join(parts) or 'nothing to check'}")
    return 0 if set(verdicts) <= {"fits"} else _FOUND
