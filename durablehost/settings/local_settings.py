"""`local.settings.json`: the app settings of a local run."""

import logging
import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from durablehost.errors import CannotStart
from durablehost.settings.json_files import read_json_object

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LocalHost:
    """The section `Host`: where to listen, and which origins may call."""

    port: int | None = None
    cors: tuple[str, ...] = ()
    cors_credentials: bool = False


def read_local_settings(folder: Path, environ: MutableMapping[str, str]) -> LocalHost:
    """Put `Values` into the environment, and return the section `Host`."""
    path = folder / "local.settings.json"
    if not os.path.exists(path):
        return LocalHost()
    content = read_json_object(path)
    values = _section(path, content, "Values")
    connections = _section(path, content, "ConnectionStrings")
    _check_encryption(path, content, bool(values or connections))
    for name, value in values.items():
        _put(path, environ, name, value)
    for name, value in connections.items():
        _put_connection(path, environ, name, value)
    return _host(path, _section(path, content, "Host"))


def _section(path: Path, content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = content.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise CannotStart(f'{path}: "{name}" is {found!r}. It has to be an object.')
    return found


def _check_encryption(path: Path, content: Mapping[str, Any], holds_settings: bool) -> None:
    encrypted = content.get("IsEncrypted")
    if encrypted not in (None, True, False):
        raise CannotStart(f'{path}: "IsEncrypted" is {encrypted!r}. Write true or false.')
    if encrypted:
        raise CannotStart(
            f'{path} says "IsEncrypted": true, and only the machine that encrypted it can read '
            "it. Run `func settings decrypt` there, or write the values as plain text with "
            '"IsEncrypted": false.'
        )
    if encrypted is None and holds_settings:
        raise CannotStart(
            f'{path} has no "IsEncrypted", which means true, and its values cannot be read. '
            'Write "IsEncrypted": false into it, or run `func settings decrypt` if they are '
            "encrypted."
        )


def _put(path: Path, environ: MutableMapping[str, str], name: str, value: object) -> None:
    if not name:
        log.warning("Skipping local setting with empty key.")
    elif value is None:
        log.warning("Skipping '%s' because value is null", name)
    elif not isinstance(value, str):
        raise CannotStart(f"{path}: {name} is {value!r}. A setting is a text: write it in quotes.")
    elif environ.get(name):
        log.warning(
            "Skipping '%s' from local settings as it's already defined in current "
            "environment variables.",
            name,
        )
    elif "\0" in name + value or "=" in name:
        raise CannotStart(
            f"{path}: {name!r} cannot be put into the environment. "
            "Leave out NUL characters, and '=' in its name."
        )
    else:
        environ[name] = value


def _put_connection(
    path: Path, environ: MutableMapping[str, str], name: str, value: object
) -> None:
    if isinstance(value, dict):
        value = value.get("ConnectionString")
    _put(path, environ, f"ConnectionStrings:{name}", value)


def _host(path: Path, section: Mapping[str, Any]) -> LocalHost:
    cors = section.get("CORS") or ""
    if not isinstance(cors, str):
        raise CannotStart(
            f'{path}: Host.CORS is {cors!r}. It has to be origins separated by commas, or "*".'
        )
    origins = origins_in(cors)
    credentials = section.get("CORSCredentials") or False
    if not isinstance(credentials, bool):
        raise CannotStart(
            f"{path}: Host.CORSCredentials is {credentials!r}. It has to be true or false."
        )
    if credentials and "*" in origins:
        raise CannotStart(
            f'{path}: Host.CORS is "*" while Host.CORSCredentials is true, which browsers refuse. '
            "Name the origins."
        )
    return LocalHost(_port(path, section.get("LocalHttpPort")), origins, credentials)


def origins_in(text: str) -> tuple[str, ...]:
    """The origins of a list separated by commas."""
    return tuple(origin.strip().rstrip("/") for origin in text.split(",") if origin.strip())


def _port(path: Path, port: object) -> int | None:
    if port is None:
        return None
    if isinstance(port, bool) or not re.fullmatch(r"\d{1,5}", str(port)) or int(str(port)) > 65535:
        raise CannotStart(
            f"{path}: Host.LocalHttpPort is {port!r}. It has to be a number from 0 to 65535."
        )
    return int(str(port))
