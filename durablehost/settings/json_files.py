"""Read the JSON of `host.json` and `local.settings.json` as leniently as the real host does."""

import codecs
import json
import re
from pathlib import Path
from typing import Any, NoReturn

from durablehost.errors import CannotStart

_STRING = r'"(?:\\.|[^"\\\n])*"'
_COMMENT = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?\*/", re.DOTALL)
_TRAILING_COMMA = re.compile(rf"{_STRING}|,(?=\s*[}}\]])")


def read_json_object(path: Path) -> dict[str, Any]:
    """Read the object in a file. Comments, trailing commas and a byte order mark are allowed."""
    text = _TRAILING_COMMA.sub(_blank, _COMMENT.sub(_blank, _read_text(path)))
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        if error.msg == "Extra data":  # usually a surplus brace
            raise CannotStart(
                f"{path} is not valid JSON: the object ends before {at}, and more follows it. "
                "Remove what follows."
            ) from error
        raise CannotStart(
            f"{path} is not valid JSON: {at}: {error.msg}. Correct that line."
        ) from error
    except (ValueError, RecursionError) as error:
        raise CannotStart(f"{path} is not valid JSON: {error}. Correct it.") from error
    if not isinstance(value, dict):
        raise CannotStart(
            f"{path} does not contain a JSON object. Write {{ … }} around its settings."
        )
    return value


def _read_text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return raw.decode("utf-16")
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CannotStart(f"{path} is not text in UTF-8: {error}. Save it as UTF-8.") from error
    except OSError as error:
        raise CannotStart(
            f"{path} cannot be read: {error.strerror}. Make it a file you may read."
        ) from error


def _blank(match: re.Match[str]) -> str:
    """Keep strings, and replace anything else by blanks, so that line numbers stay correct."""
    found = match[0]
    return found if found.startswith('"') else re.sub(r"[^\n]", " ", found)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")
