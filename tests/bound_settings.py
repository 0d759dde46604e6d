"""The settings that bindings of the app name as `%NAME%`, as local.settings.json.example has them.

The host leaves out a function whose setting is missing, so the tests need them before the app is
loaded.
"""

import json
import os
from collections.abc import Mapping
from typing import Final

from tests.source import ROOT

_NAMES: Final = ("RETENTION_SCHEDULE", "VENDOR_EVENTS_QUEUE")
# Its timer would start the sweep in every test that lets five minutes pass.
NO_SWEEP: Final = {"AzureWebJobs.ensure_ledger_sweep.Disabled": "true"}


def bound_settings() -> Mapping[str, str]:
    example = json.loads((ROOT / "local.settings.json.example").read_text("utf-8"))
    return {name: example["Values"][name] for name in _NAMES}


def set_bound_settings() -> None:
    for name, value in {**bound_settings(), **NO_SWEEP}.items():
        os.environ.setdefault(name, value)
