"""A recording as the management API of a host shows the instance."""

from datetime import UTC, datetime
from typing import Any

from durablehost.hub.backend import Instance, Parent
from durablehost.hub.history import compact
from durablehost.replaying.recording import Recording, start_of
from durablehost.web.shown import shown_history, shown_instance


def as_shown(recording: Recording) -> dict[str, Any]:
    start = start_of(recording.events)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    parent = start["ParentInstance"]
    instance = Instance(
        id=recording.instance,
        name=recording.orchestrator,
        version=start["Version"],
        execution_id="",
        generation=0,
        status=recording.status,
        input=start["Input"],
        output=None,
        custom_status=compact(recording.custom_status),
        created=now,
        updated=now,
        parent=Parent(parent["OrchestrationInstance"]["InstanceId"], "", 0, "", None)
        if parent
        else None,
    )
    events = shown_history(recording.events, with_output=True, with_input=True)
    return shown_instance(instance, events=events)
