"""Instances that were recorded in flight go on with the code of today.

`make check` runs this file as well. `record.py` says how a history is recorded, and when.
"""

import json
from pathlib import Path

import pytest

from durablehost.app.functions import FunctionTable
from durablehost.hub import history
from durablehost.testing import replay

FOLDER = Path(__file__).parent
FILES = sorted(FOLDER.glob("*/*.json"))
MOST_EVENTS = 60  # so that a person can read it


def events_of(file: Path) -> list[history.Event]:
    events: list[history.Event] = json.loads(file.read_text("utf-8"))
    return events


def is_in_flight(file: Path) -> bool:
    kinds = {event["EventType"] for event in events_of(file)}
    return history.EXECUTION_COMPLETED not in kinds


def test_every_orchestrator_has_a_history_in_flight(durable_app: FunctionTable) -> None:
    recorded = {file.parent.name for file in FILES if is_in_flight(file)}

    assert set(durable_app.durable_names("orchestration")) - recorded == set()


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_recorded_instance_replays_with_the_code_of_today(
    durable_app: FunctionTable, file: Path
) -> None:
    events = events_of(file)
    [started] = [event for event in events if event["EventType"] == history.EXECUTION_STARTED]
    ended = [event for event in events if event["EventType"] == history.EXECUTION_COMPLETED]

    replayed = replay(durable_app, events)

    assert replayed.problems == []
    assert replayed.schedules == []
    assert replayed.status == (ended[0]["OrchestrationStatus"] if ended else "Running")
    assert started["Name"] == file.parent.name
    assert len(events) <= MOST_EVENTS
