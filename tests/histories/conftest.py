"""The fixture by which `record.py` writes the history of an instance."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from durablehost.testing import ManualHub
from tests.source import ROOT

Keep: TypeAlias = Callable[[str, str], None]


@pytest.fixture
def keep(hub: ManualHub) -> Keep:
    """`keep(instance_id, name)` writes the history to `<orchestrator>/<name>.json`."""

    def keep(instance_id: str, name: str) -> None:
        instance = hub.instance(instance_id)
        assert instance.status == "Running", hub.explain(instance_id)
        events = ",\n".join(json.dumps(event) for event in hub.history(instance_id))
        # The stack traces of failures name folders of this machine.
        for here, in_azure in ((ROOT, "/home/site/wwwroot"), (sys.base_prefix, "/usr/local")):
            events = events.replace(str(here), in_azure)
        folder = Path(__file__).parent / instance.name
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.json").write_text(f"[\n{events}\n]\n", "utf-8")

    return keep
