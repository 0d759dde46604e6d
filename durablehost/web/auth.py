"""The keys of an app: who may call its functions, its admin pages and its webhooks."""

import hmac
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aiohttp import web

from durablehost.errors import CannotStart
from durablehost.settings.json_files import read_json_object
from durablehost.web.paths import first_parameter, split_target

Level = Literal["anonymous", "function", "admin", "durable", "blobs"]

_NAMES = ("master", "function", "durable", "blobs")


@dataclass(frozen=True)
class Keys:
    """The keys. If they are not required, as under `func start`, every caller may do everything."""

    master: str = "local-master-key"
    function: str = "local-function-key"
    durable: str = "local-durable-key"  # the system key of the durable extension
    blobs: str = "local-blobs-key"  # that of the blobs extension: `blobs_extension` in Azure
    enforced: bool = False

    def open(self, level: Level, request: web.BaseRequest) -> bool:
        """Whether a request has a key for this level. The header takes precedence over `code`."""
        if level == "anonymous" or not self.enforced:
            return True
        given = request.headers.get("x-functions-key")
        if given is None:
            given = first_parameter(split_target(request.raw_path)[1], "code")
        if not given:
            return False
        keys = {"function": self.function, "durable": self.durable, "blobs": self.blobs}
        fitting = keys.get(level, self.master)
        # Both are compared, so that the time taken does not tell them apart.
        return _same(given, fitting) | _same(given, self.master)

    def is_master(self, request: web.BaseRequest) -> bool:
        """Whether a request has the master key. False if keys are not required."""
        return self.enforced and self.open("admin", request)


def level_of(auth_level: object) -> Level:
    """The level in a binding's `authLevel`, or FUNCTION if it has none, as in the host."""
    name = str(auth_level).lower() if auth_level is not None else "function"
    return "anonymous" if name == "anonymous" else "admin" if name == "admin" else "function"


def load_keys(path: Path | None) -> Keys:
    """Read the keys from a file. If it is missing, create it with random keys.

    Without a file the keys are the same everywhere and nobody is asked for them.
    """
    if path is None:
        return Keys()
    if not os.path.lexists(path):
        _write(path, {name: secrets.token_urlsafe(40) for name in _NAMES})
    found = read_json_object(path)
    for name in _NAMES:
        key = found.get(name)
        if not isinstance(key, str) or not key:
            raise CannotStart(
                f"{path}: {name} is {'missing' if key is None else 'no key'}. Write "
                '{"master": "…", "function": "…", "durable": "…", "blobs": "…"} into it, or '
                "remove the file "
                "and durablehost creates it again."
            )
    return Keys(**{name: found[name] for name in _NAMES}, enforced=True)


def _write(path: Path, keys: dict[str, str]) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(keys, file, indent=2)
            file.write("\n")
    except OSError as error:
        raise CannotStart(
            f"{path} cannot be written: {error.strerror}. "
            "Name a file in a folder that exists and that you may write to."
        ) from error


def _same(given: str, key: str) -> bool:
    return hmac.compare_digest(
        given.encode("utf-8", "surrogateescape"), key.encode("utf-8", "surrogateescape")
    )
