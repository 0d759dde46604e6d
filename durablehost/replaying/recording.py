"""A recording: the history of one instance as a file that a person can read.

The file leaves out what all events of a kind have in common. `steps`, `uuids` and `custom_status`
say what the history does not: what the orchestrator had asked for when it was recorded.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from durablehost.errors import CannotStart
from durablehost.hub import history
from durablehost.hub.history import Event

SUFFIX: Final = ".json"
_AT: Final = datetime(1, 1, 1, tzinfo=UTC)
_UNUSUAL: Final = -2  # no event has this id, so that the file names every id of a task
_MADE: Final = (
    history.execution_started(
        _AT, instance_id="", execution_id="", name="", version=None, input_text=None
    ),
    history.execution_completed(_AT, _UNUSUAL, "", None),
    history.execution_terminated(_AT, ""),
    history.task_scheduled(_AT, _UNUSUAL, ""),
    history.task_completed(_AT, _UNUSUAL, None),
    history.task_failed(_AT, _UNUSUAL, "", None),
    history.sub_orchestration_created(_AT, _UNUSUAL, "", None, ""),
    history.sub_orchestration_completed(_AT, _UNUSUAL, None),
    history.sub_orchestration_failed(_AT, _UNUSUAL, None, None),
    history.timer_created(_AT, _UNUSUAL, _AT),
    history.timer_fired(_AT, _UNUSUAL, _AT),
    history.orchestrator_started(_AT),
    history.orchestrator_completed(_AT),
    history.event_sent(_AT, _UNUSUAL, "", "", ""),
    history.event_raised(_AT, "", None),
    history.generic_event(_AT, -1, ""),
    history.execution_suspended(_AT, ""),
    history.execution_resumed(_AT, ""),
)
_SCHEDULED: Final = frozenset(
    {
        history.EXECUTION_COMPLETED,
        history.TASK_SCHEDULED,
        history.SUB_ORCHESTRATION_CREATED,
        history.TIMER_CREATED,
        history.EVENT_SENT,
        history.ORCHESTRATOR_STARTED,
        history.ORCHESTRATOR_COMPLETED,
        history.GENERIC_EVENT,
    }
)
# An event of each kind, with what is usual in it; later episodes see received events as played.
_USUAL: Final[dict[int, Event]] = {
    event["EventType"]: event | {"IsPlayed": event["EventType"] not in _SCHEDULED}
    for event in _MADE
}
_KINDS: Final = {name: kind for kind, name in history.NAMES.items()}
_OPTIONAL: Final = ("reconstructed", "redacted", "accepted")


@dataclass(frozen=True)
class Recording:
    """The history of an instance, and what its orchestrator had asked for at the end of it."""

    orchestrator: str
    instance: str
    status: str
    events: Sequence[Event]
    custom_status: Any = None
    uuids: int | None = None  # how often it had called `new_uuid`; None if unknown
    steps: Sequence[str] | None = None  # in the words of `steps.py`; None if unknown
    reconstructed: bool = False  # from the management API: timers and ids are guesses
    redacted: Sequence[str] = ()  # the keys whose values were replaced
    accepted: Sequence[str] = ()  # the findings that are known and wanted

    @property
    def has_ended(self) -> bool:
        return any(event["EventType"] == history.EXECUTION_COMPLETED for event in self.events)


def recording_of(
    instance_id: str, status: str, events: Sequence[Event], custom_status: Any = None
) -> Recording:
    """A recording of which only the history is known. Raises ValueError."""
    name = start_of(events)["Name"]
    return Recording(name, instance_id, status, events, custom_status)


def start_of(events: Sequence[Event]) -> Event:
    """The event that began the execution. Raises ValueError."""
    for event in events:
        if event["EventType"] == history.EXECUTION_STARTED:
            return event
    raise ValueError("the history has no ExecutionStarted: keep all that `hub.history(id)` gives")


def write(recording: Recording, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text_of(recording), "utf-8")


def text_of(recording: Recording) -> str:
    """The recording as JSON, a line for each event."""
    head: dict[str, Any] = {
        "orchestrator": recording.orchestrator,
        "instance": recording.instance,
        "status": recording.status,
        "custom_status": recording.custom_status,
        "uuids": recording.uuids,
    }
    head |= {name: value for name in _OPTIONAL if (value := getattr(recording, name))}
    lines = [f" {json.dumps(key)}: {_text(value)},\n" for key, value in head.items()]
    if recording.steps is not None:
        lines.append(f' "steps": [{_lines(recording.steps)}],\n')
    events = [_short(event) for event in recording.events]
    return "".join(["{\n", *lines, f' "events": [{_lines(events)}]\n', "}\n"])


def _lines(values: Sequence[Any]) -> str:
    return ",".join(f"\n  {_text(value)}" for value in values)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _short(event: Event) -> Event:
    usual = _USUAL[event["EventType"]]
    kept = {key: value for key, value in event.items() if key not in usual or value != usual[key]}
    kept.pop("EventType", None)
    return {"EventType": history.NAMES[event["EventType"]], **kept}


def read(file: Path) -> Recording:
    """Read a recording. Raises CannotStart."""
    try:
        kept = json.loads(file.read_text("utf-8"))
        events = [_whole(event) for event in kept.pop("events")]
        return Recording(events=events, **kept)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CannotStart(
            f"{file} is no recorded history: {error}. `durablehost record` writes such files."
        ) from None


def _whole(short: Event) -> Event:
    kind = _KINDS[short["EventType"]]
    return _USUAL[kind] | short | {"EventType": kind}


def files_in(places: Sequence[Path]) -> list[Path]:
    """The files in these folders, and those named themselves. Raises CannotStart."""
    found: list[Path] = []
    for place in places:
        if not place.exists():
            raise CannotStart(f"{place} does not exist. `durablehost record` writes histories.")
        found += sorted(place.rglob(f"*{SUFFIX}")) if place.is_dir() else [place]
    return found


def accepting(recording: Recording, keys: Sequence[str]) -> Recording:
    """The recording with these findings accepted, in addition to those that were."""
    return replace(recording, accepted=sorted({*recording.accepted, *keys}))
