"""`durablehost record`: keeps histories of a hub as files for `durablehost replay`."""

import argparse
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from durablehost.app.functions import FunctionTable
from durablehost.app.loading import load_app
from durablehost.command import console
from durablehost.errors import CannotStart
from durablehost.hub.backend import Instance, Query, is_entity
from durablehost.replaying.asking_host import HostAsked
from durablehost.replaying.reconstructing import reconstruct
from durablehost.replaying.recording import SUFFIX, Recording, write
from durablehost.replaying.redacting import redact
from durablehost.replaying.taking import take
from durablehost.settings import load_settings
from durablehost.store import SqliteBackend


def run(given: argparse.Namespace) -> int:
    """Record instances. Raises CannotStart."""
    folder = Path(given.app).resolve()
    to = Path(given.to).resolve() if given.to else folder / "tests" / "histories"
    hub = Path(given.data).resolve() if given.data else folder / ".durablehost" / "hub.db"
    load_settings(folder, os.environ)
    table = load_app(folder)
    if given.source:
        shown = HostAsked(given.source).running(given.limit)
        taken = (reconstruct(table, each) for each in shown)
        recordings = [each for each in taken if _is_asked_for(each.instance, given.instances)]
    else:
        recordings = list(_from_hub(table, hub, given.instances, given.limit))
    for recording in recordings:
        file = to / recording.orchestrator / f"{_file_name(recording.instance)}{SUFFIX}"
        write(redact(recording, given.redact) if given.redact else recording, file)
        console.say(f"{recording.instance} ({recording.status}): {file}")
    console.say(f"{len(recordings)} recorded")
    return 0


def _from_hub(
    table: FunctionTable, hub: Path, asked: Sequence[str], most: int
) -> Iterator[Recording]:
    if not hub.exists():
        raise CannotStart(
            f"There is no hub file {hub}. Name one with --data, or a host with --from."
        )
    backend = SqliteBackend(hub)
    try:
        chosen = [
            each for each in backend.list_instances(Query(top=None)) if _is_wanted(each, asked)
        ]
        for instance in chosen[:most]:
            events = backend.history(instance.id)
            if events:
                status = json.loads(instance.custom_status or "null")
                yield take(table, instance.id, instance.status, events, status)
    finally:
        backend.close()


def _is_wanted(instance: Instance, asked: Sequence[str]) -> bool:
    if is_entity(instance.id):
        return False
    return _is_asked_for(instance.id, asked) and (bool(asked) or not instance.ended)


def _is_asked_for(instance_id: str, asked: Sequence[str]) -> bool:
    return not asked or any(instance_id.startswith(each) for each in asked)


def _file_name(instance_id: str) -> str:
    return re.sub(r"[^\w.-]+", "-", instance_id).strip("-") or "instance"
