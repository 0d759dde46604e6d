"""Versions of orchestrators: which change an instance was started before.

An instance keeps the version that `defaultVersion` in host.json gave it when it was started. Code
that was changed since does for an older instance what it did then.
"""

import re
from typing import Final

_DOTTED: Final = re.compile(r"[0-9]+(\.[0-9]+)*")


def is_before(version: str | None, change: str) -> bool:
    """Whether an instance of this version was started before the change; one of none was."""
    if not version:
        return True
    return _DOTTED.fullmatch(version) is not None and _numbers(version) < _numbers(change)


def _numbers(version: str) -> list[int]:
    numbers = [int(part) for part in version.split(".")]
    while numbers and numbers[-1] == 0:  # 2 is 2.0
        numbers.pop()
    return numbers
