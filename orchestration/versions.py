"""Versions of orchestrators: which change an instance was started before, and what is leaving.

An instance keeps the version that `defaultVersion` in host.json gave it when it was started. Code
that was changed since does for an older instance what it did then.
"""

import re
from typing import Final

# Orchestrators with instances that are not to be started any more, and the version they are older
# than; None for all of that name. Where none is left, delete the line and the code that it needs.
LEAVING: Final[dict[str, str | None]] = {"delivery_intake": "2.0", "trusted_delivery": None}

_DOTTED: Final = re.compile(r"[0-9]+(\.[0-9]+)*")


def is_before(version: str | None, change: str) -> bool:
    """Whether an instance of this version was started before the change; one of none was."""
    if not version:
        return True
    return _DOTTED.fullmatch(version) is not None and _numbers(version) < _numbers(change)


def is_leaving(orchestrator: str, version: str | None) -> bool:
    """Whether an instance is one of those that are not to be started any more."""
    if orchestrator not in LEAVING:
        return False
    change = LEAVING[orchestrator]
    return change is None or is_before(version, change)


def _numbers(version: str) -> list[int]:
    numbers = [int(part) for part in version.split(".")]
    while numbers and numbers[-1] == 0:  # 2 is 2.0
        numbers.pop()
    return numbers
