"""`logging.logLevel` of host.json: from which level on the lines of a category are logged."""

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
    """The level of a category: that of the longest beginning which host.json names, as in .NET."""
    folded = category.lower()
    fitting = [name for name in levels if folded.startswith(name.lower())]
    named = max(fitting, key=len, default="")
    default = next((levels[name] for name in levels if name.lower() == DEFAULT), "Information")
    return LEVELS[levels.get(named, default)]


def category_of(function: str) -> str:
    """The category of the lines that a function logs; of lines outside of a call the default."""
    return f"{_FUNCTION}.{function}.User" if function else DEFAULT


def has_effect(category: str) -> bool:
    """Whether lines of this category are logged here."""
    folded = category.lower()
    beginnings = (DEFAULT, DURABLE_TASK.lower())
    return folded.startswith(_FUNCTION.lower()) or any(b.startswith(folded) for b in beginnings)
