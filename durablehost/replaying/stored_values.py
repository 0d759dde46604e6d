"""Values in a history that the app can no longer read: objects of classes that are gone.

The SDK writes an object with `to_json` as its module, its class and its data. To read it, it
imports the module and calls `from_json` of the class.
"""

import importlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from durablehost.hub.history import Event
from durablehost.replaying.findings import Finding

_PAYLOADS: Final = ("Input", "Result")


def unreadable_values(events: Sequence[Event]) -> Iterator[Finding]:
    """A finding for each class of the history that is not there any more."""
    for event in events:
        for key in _PAYLOADS:
            for module, name in _classes(event.get(key)):
                if why := _why_not(module, name):
                    where = f"{key.lower()} of the event at {event['Timestamp']}"
                    recorded = f"an object of {module}.{name}"
                    yield Finding("fails", f"class {module}.{name}", where, recorded, why)


def _classes(value: Any) -> Iterator[tuple[str, str]]:
    """The module and the name of each object in a value, which may be JSON text."""
    if isinstance(value, str) and value[:1] in ("{", "[", '"'):
        try:
            yield from _classes(json.loads(value))
        except (ValueError, RecursionError):
            return
    elif isinstance(value, dict):
        if isinstance(value.get("__class__"), str) and isinstance(value.get("__module__"), str):
            yield value["__module__"], value["__class__"]
        for part in value.values():
            yield from _classes(part)
    elif isinstance(value, list):
        for part in value:
            yield from _classes(part)


def _why_not(module: str, name: str) -> str:
    try:
        found = getattr(importlib.import_module(module), name)
    except ImportError:
        return f"there is no module {module}"
    except AttributeError:
        return f"there is no class {name} in {module}"
    return "" if callable(getattr(found, "from_json", None)) else f"{name} has no `from_json`"
