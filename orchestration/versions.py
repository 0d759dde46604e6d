"""Comparing the version of an instance with the version of a change.

An instance keeps the version that `defaultVersion` in host.json had when it was started. An
orchestrator asks `is_before(context.version, "2.0")` to run an older instance as it was then.
"""

import re
from typing import Final

_DOTTED: Final = re.compile(r"[0-9]+(\.[0-9]+)*")


def is_before(version: str | None, change: str) -> bool:
    """Whether this version is older than the change. An instance without a version is."""
    if not version:
        return True
    return _DOTTED.fullmatch(version) is not None and _numbers(version) < _numbers(change)


def _numbers(version: str) -> list[int]:
    numbers = [int(part) for part in version.split(".")]
    while numbers and numbers[-1] == 0:  # 2 is 2.0
        numbers.pop()
    return numbers
