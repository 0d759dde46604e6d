"""Takes the recording of an instance, with what its orchestrator has asked for until now."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from durablehost.app.functions import FunctionTable
from durablehost.hub.history import Event
from durablehost.replaying.checking import boundaries_of
from durablehost.replaying.recording import Recording, recording_of
from durablehost.replaying.rerun import rerun


def take(
    table: FunctionTable,
    instance_id: str,
    status: str,
    events: Sequence[Event],
    custom_status: Any = None,
) -> Recording:
    """Record an instance that the code of today has run. Raises ValueError."""
    events = [_as_on_azure(event, table.folder) for event in events]
    recording = recording_of(instance_id, status, events, custom_status)
    if recording.has_ended:
        return recording
    run = rerun(table, boundaries_of(recording)[-1])
    if run.status == "Failed":  # other code has run it: what it had asked for is unknown
        return recording
    status_then = run.state.custom_status if custom_status is None else custom_status
    return replace(recording, steps=run.steps, uuids=run.uuids, custom_status=status_then)


def _as_on_azure(event: Event, folder: Path | None) -> Event:
    """The event with Azure's folders in the stack traces of failures, not those of this machine."""
    text = json.dumps(event)
    for here, there in ((folder, "/home/site/wwwroot"), (sys.base_prefix, "/usr/local")):
        text = text.replace(str(here), there) if here else text
    moved: Event = json.loads(text)
    return moved
