"""`logging.logLevel` of host.json: the lowest level that is logged for each category."""

import logging
from collections.abc import Mapping
from typing import Final

LEVELS: Final = {
    "Trace": logging.DEBUG,
    "Debug": logging.DEBUG,
    "Information": logging.INFO,
    "Warning": logging.WARNING,
    "Error": logging.ERROR,
    "Critical": logging.CRITICAL,
    "None": logging.CRITICAL + 1,
}
DEFAULT: Final = "default"
DURABLE_TASK: Final = "Host.Triggers.DurableTask"
_FUNCTION: Final = "Function"


def level_of(category: str, levels: Mapping[str, str]) -> int:
    """The level of a category: as in .NET, that of the longest prefix in host.json."""
    folded = category.lower()
    fitting = [name for name in levels if folded.startswith(name.lower())]
    named = max(fitting, key=len, default="")
    default = next((levels[name] for name in levels if name.lower() == DEFAULT), "Information")
    return LEVELS[levels.get(named, default)]


def category_of(function: str) -> str:
    """The category of the log lines of a function; the default category outside of a call."""
    return f"{_FUNCTION}.{function}.User" if function else DEFAULT


def has_effect(category: str) -> bool:
    """Whether lines of this category are logged here."""
    folded = category.lower()
    beginnings = (DEFAULT, DURABLE_TASK.lower())
    return folded.startswith(_FUNCTION.lower()) or any(b.startswith(folded) for b in beginnings)
