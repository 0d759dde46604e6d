"""Instances that were recorded in flight go on with the code of today.

`make check` replays them as well. `record.py` says how a history is recorded, and when.
"""

from pathlib import Path

import pytest

from durablehost.app.functions import FunctionTable
from durablehost.replaying.checking import check
from durablehost.replaying.reconstructing import reconstruct
from durablehost.replaying.recording import read
from tests.durablehost.replaying.shown import as_shown

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("*/*.json"))
MOST_EVENTS = 60  # so that a person can read it


def test_every_orchestrator_has_a_history_in_flight(durable_app: FunctionTable) -> None:
    recordings = [read(file) for file in FILES]
    in_flight = {each.orchestrator for each in recordings if not each.has_ended}

    assert in_flight == set(durable_app.durable_names("orchestration"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_recorded_instance_goes_on_with_the_code_of_today(
    durable_app: FunctionTable, file: Path
) -> None:
    recording = read(file)

    assert check(durable_app, recording) == []
    assert recording.orchestrator == file.parent.name
    assert len(recording.events) <= MOST_EVENTS


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_what_a_host_shows_of_it_is_enough_to_replay_it(
    durable_app: FunctionTable, file: Path
) -> None:
    reconstructed = reconstruct(durable_app, as_shown(read(file)))

    assert check(durable_app, reconstructed) == []
