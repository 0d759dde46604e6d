"""`host.json` as .NET's configuration sees it: names ignore case, the environment overrides."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from durablehost.errors import CannotStart
from durablehost.settings.json_files import read_json_object

_OVERRIDE = re.compile(r"AzureFunctionsJobHost(?:__|:)(.+)", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,18})?")
_MINIMUM = '{"version": "2.0"}'


@dataclass(frozen=True)
class HostJson:
    """The settings of a `host.json`, each read by its dotted path."""

    path: Path
    values: Mapping[str, Any]

    def value(self, path: str) -> Any:
        """The value at a path; None if there is none, or null."""
        found: Any = self.values
        for name in path.split("."):
            if not isinstance(found, dict):
                return None
            found = found.get(_spelling(found, name))
        return found

    def section(self, path: str) -> Mapping[str, Any]:
        found = self.value(path)
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise self.wrong(path, found, "an object")
        return found

    def text(self, path: str) -> str | None:
        found = self.value(path)
        if found is not None and not isinstance(found, str):
            raise self.wrong(path, found, "a text in quotes")
        return found

    def count(self, path: str) -> int | None:
        """A whole number of at least 1. As on the real host it may be in quotes."""
        found = self.value(path)
        if found is None:
            return None
        if isinstance(found, bool) or not re.fullmatch(r"\d{1,9}", str(found)) or int(found) < 1:
            raise self.wrong(path, found, "a whole number of at least 1")
        return int(found)

    def one_of(self, path: str, choices: tuple[str, ...]) -> str | None:
        """One of the allowed words, in this spelling. Case does not matter."""
        found = self.value(path)
        if found is None:
            return None
        for choice in choices:
            if isinstance(found, str) and found.lower() == choice.lower():
                return choice
        raise self.wrong(path, found, f"one of {', '.join(choices)}")

    def wrong(self, path: str, found: Any, allowed: str) -> CannotStart:
        return CannotStart(f"{self.path}: {path} is {found!r}. It has to be {allowed}.")


def read_host_json(folder: Path, environ: Mapping[str, str]) -> HostJson:
    """The folder's `host.json`, with the values that the environment overrides."""
    path = folder / "host.json"
    if not os.path.exists(path):
        raise CannotStart(
            f"{folder} has no host.json, so it is not a function app. "
            f"Name the app's folder, or write a host.json there, at least: {_MINIMUM}"
        )
    values = read_json_object(path)
    _check_version(path, values)
    for name, text in sorted(environ.items()):
        if override := _OVERRIDE.fullmatch(name):
            _put(values, re.split(r"__|:", override[1]), text)
    return HostJson(path, values)


def _check_version(path: Path, values: dict[str, Any]) -> None:
    if "version" not in values:
        raise CannotStart(
            f'{path} is missing the required "version". Write "version": "2.0" into it.'
        )
    if values["version"] != "2.0":
        raise CannotStart(
            f'{path}: version is {values["version"]!r}. Write "version": "2.0": '
            "it is the version of the file's form, not of the Functions runtime."
        )


def _spelling(values: Mapping[str, Any], name: str) -> str:
    """The spelling of a name in these values; unchanged if it is not there."""
    if name in values:
        return name
    return next((known for known in values if known.lower() == name.lower()), name)


def _put(values: dict[str, Any], names: list[str], text: str) -> None:
    *parents, last = names
    for parent in parents:
        spelling = _spelling(values, parent)
        if not isinstance(values.get(spelling), dict):
            values[spelling] = {}
        values = values[spelling]
    values[_spelling(values, last)] = _from_environment(text, last)


def _from_environment(text: str, name: str) -> object:
    """A number or a boolean if the text is one. A version such as 2.0 stays text."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if name.lower().endswith(("version", "name")) or not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)
