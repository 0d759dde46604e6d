"""Histories that are made from what the management API shows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durablehost.hub.history import TASK_COMPLETED, read_stamp
from durablehost.replaying import reconstructing

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def shown(calls: int) -> dict[str, Any]:
    """An instance that has called an activity so many times, one after the other."""

    def at(second: int) -> str:
        return (BEGAN + timedelta(seconds=second)).isoformat().replace("+00:00", "Z")

    ended = [
        {
            "EventType": "TaskCompleted",
            "FunctionName": "pack",
            "ScheduledTime": at(number),
            "Timestamp": at(number + 1),
            "Result": number,
        }
        for number in range(calls)
    ]
    begun = {"EventType": "ExecutionStarted", "FunctionName": "long_way", "Timestamp": at(0)}
    return {
        "instanceId": "long-1",
        "runtimeStatus": "Running",
        "customStatus": None,
        "historyEvents": [begun, *ended],
    }


def test_the_time_for_a_history_grows_as_its_length_does(monkeypatch: pytest.MonkeyPatch) -> None:
    stamps: list[str] = []

    def counted(text: str) -> datetime:
        stamps.append(text)
        return read_stamp(text)

    monkeypatch.setattr(reconstructing, "read_stamp", counted)
    events = reconstructing.reconstruct_without_code(shown(500)).events

    assert sum(event["EventType"] == TASK_COMPLETED for event in events) == 500
    assert len(stamps) < 20 * 500
