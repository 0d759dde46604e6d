"""Replaces values in a recording that nobody should read, such as names and accounts."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, Final

from durablehost.hub.history import Event, without_digest
from durablehost.replaying.recording import Recording

REDACTED: Final = "redacted"
_PAYLOADS: Final = ("Input", "Result", "Reason", "Details", "Data")
_MARKS: Final = '{["'


def redact(recording: Recording, keys: Sequence[str]) -> Recording:
    """Replace the values of these keys everywhere in inputs, results and events.

    A key may have `*` and `?` in it. Numbers become 0, lists and objects empty, and texts
    "redacted". Digests of inputs are removed, since the inputs change.
    """

    def is_meant(key: str) -> bool:
        return any(fnmatchcase(key.lower(), pattern.lower()) for pattern in keys)

    return replace(
        recording,
        events=[_redacted(event, is_meant) for event in recording.events],
        custom_status=_value(recording.custom_status, is_meant),
        redacted=sorted({*recording.redacted, *keys}),
    )


def _redacted(event: Event, is_meant: Callable[[str], bool]) -> Event:
    return {
        key: _value(value, is_meant) if key in _PAYLOADS else value
        for key, value in without_digest(event).items()
    }


def _value(value: Any, is_meant: Callable[[str], bool]) -> Any:
    if isinstance(value, dict):
        return {
            key: _blank(part) if is_meant(key) else _value(part, is_meant)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [_value(part, is_meant) for part in value]
    if isinstance(value, str) and value[:1] in tuple(_MARKS):
        return _text(value, is_meant)
    return value


def _text(text: str, is_meant: Callable[[str], bool]) -> str:
    """JSON text that is itself a value: a payload is such text, sometimes twice."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    redacted = _value(value, is_meant)
    return text if redacted == value else json.dumps(redacted)


def _blank(value: Any) -> Any:
    if isinstance(value, bool | None):
        return value
    if isinstance(value, (int, float, list, dict)):
        return type(value)()
    return REDACTED
