"""Which versions of an orchestration this app runs (host.json: defaultVersion and strategies)."""

import re
from typing import Final, Literal

MatchStrategy = Literal["None", "Strict", "CurrentOrOlder"]

MISMATCH: Final = "VersionMismatch: Orchestration version did not comply with Worker Versioning"
_DOTTED: Final = re.compile(r"\d+(\.\d+){1,3}")


def runs_here(version: str | None, default: str | None, strategy: MatchStrategy) -> bool:
    """Whether an app with this defaultVersion runs an instance of this version."""
    if strategy == "None":
        return True
    if strategy == "Strict":
        return (version or "") == (default or "")
    return _compare(version or "", default or "") <= 0


def _compare(one: str, other: str) -> int:
    """As the host does: as .NET versions if both are, else as text. No version comes first."""
    if not one or not other:
        return bool(one) - bool(other)
    if _DOTTED.fullmatch(one) and _DOTTED.fullmatch(other):
        return _order(_numbers(one), _numbers(other))
    return _order(one.upper(), other.upper())


def _numbers(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in version.split(".")]
    return tuple(numbers + [-1] * (4 - len(numbers)))


def _order(one: str | tuple[int, ...], other: str | tuple[int, ...]) -> int:
    return (one > other) - (one < other)  # type: ignore[operator]  # both are of one type
