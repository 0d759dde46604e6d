"""The settings in `host.json` and `local.settings.json`."""

import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, cast

from durablehost.errors import CannotStart
from durablehost.settings.host_json import HostJson, read_host_json
from durablehost.settings.local_settings import LocalHost, read_local_settings
from durablehost.settings.log_levels import LEVELS
from durablehost.settings.percent_names import resolve
from durablehost.settings.unused_settings import is_debug_logging, unused_settings

VersionMatch = Literal["None", "Strict", "CurrentOrOlder"]
VersionFailure = Literal["Reject", "Fail"]

DURABLE = "extensions.durableTask"
BODY_LIMIT = 104_857_600  # the host's own: 100 MB


@dataclass(frozen=True)
class Settings:
    """The settings that durablehost uses, by default those of an empty `host.json`."""

    hub_name: str = "TestHubName"
    route_prefix: str = "api"
    connection_name: str = "Storage"
    max_concurrent_activities: int = 20
    max_concurrent_orchestrators: int = 20  # entities share this limit
    default_version: str | None = None
    version_match: VersionMatch = "CurrentOrOlder"
    version_failure: VersionFailure = "Reject"
    may_replace_running: bool = False  # overridableExistingInstanceStates: AnyState
    function_timeout: timedelta | None = timedelta(minutes=30)
    log_levels: Mapping[str, str] = field(default_factory=dict)
    debug_logging: bool = False  # PYTHON_ENABLE_DEBUG_LOGGING
    functions: tuple[str, ...] = ()  # the only ones to load; all of them if empty
    port: int | None = None  # Host.LocalHttpPort; --port overrides it
    cors: tuple[str, ...] = ()
    cors_credentials: bool = False
    disabled: frozenset[str] = frozenset()  # names of functions, in lower case
    homepage: bool = True
    has_extensions: bool = True  # the host of Azure finds the Durable Functions extension
    body_limit: int = BODY_LIMIT
    unused: tuple[str, ...] = ()  # settings that durablehost does not use
    raw: Mapping[str, Any] = field(default_factory=dict)  # host.json, overrides applied


def load_settings(folder: Path, environ: MutableMapping[str, str]) -> Settings:
    """Read an app's settings. The `Values` of local.settings.json become environment variables."""
    local = read_local_settings(folder, environ)
    _check_runtime(environ)
    environ.setdefault("AzureWebJobsScriptRoot", str(folder.resolve()))
    environ.setdefault("AZURE_FUNCTIONS_ENVIRONMENT", "Development")
    return _settings(read_host_json(folder, environ), local, environ)


def settings_for_tests(folder: Path | None) -> Settings:
    """Read an app's `host.json`, if it has one. Tests do not use local.settings.json."""
    if folder is None or not (folder / "host.json").exists():
        return Settings(disabled=_disabled(os.environ))
    return _settings(read_host_json(folder, os.environ), LocalHost(), os.environ)


def _settings(host: HostJson, local: LocalHost, environ: Mapping[str, str]) -> Settings:
    return Settings(
        hub_name=_hub_name(host, environ),
        route_prefix=_route_prefix(host),
        connection_name=_connection_name(host),
        max_concurrent_activities=_concurrent(host, "maxConcurrentActivityFunctions"),
        max_concurrent_orchestrators=_concurrent(host, "maxConcurrentOrchestratorFunctions"),
        default_version=host.text(f"{DURABLE}.defaultVersion"),
        version_match=_version_match(host),
        version_failure=_version_failure(host),
        may_replace_running=_may_replace_running(host),
        function_timeout=_function_timeout(host),
        log_levels=_log_levels(host),
        debug_logging=is_debug_logging(environ),
        functions=_functions(host),
        port=local.port,
        cors=local.cors,
        cors_credentials=local.cors_credentials,
        disabled=_disabled(environ),
        homepage=environ.get("AzureWebJobsDisableHomepage", "").lower() != "true",
        has_extensions=_has_extensions(host),
        body_limit=_body_limit(environ),
        unused=tuple(unused_settings(host, environ)),
        raw=host.values,
    )


def _check_runtime(environ: MutableMapping[str, str]) -> None:
    runtime = environ.setdefault("FUNCTIONS_WORKER_RUNTIME", "python")
    if runtime.lower() != "python":
        raise CannotStart(
            f"FUNCTIONS_WORKER_RUNTIME is {runtime!r}, and durablehost runs Python apps. "
            'Set it to "python".'
        )


def _hub_name(host: HostJson, environ: Mapping[str, str]) -> str:
    name = host.text(f"{DURABLE}.hubName")
    if name is None:
        return _hub_name_of_site(environ.get("WEBSITE_SITE_NAME"))
    try:
        name = resolve(name, environ)
    except ValueError as error:
        raise CannotStart(
            f"{host.path}: {DURABLE}.hubName is {name!r}: {error} Set the name in the environment "
            'or under "Values" in local.settings.json.'
        ) from None
    if not name:
        raise host.wrong(f"{DURABLE}.hubName", name, "a name, or left out")
    if _is_in_azure_storage(host) and not re.fullmatch(r"[A-Za-z][A-Za-z0-9]{2,44}", name):
        raise host.wrong(f"{DURABLE}.hubName", name, "3 to 45 letters and digits, a letter first")
    return name


def _is_in_azure_storage(host: HostJson) -> bool:
    """Whether the hub is in Azure Storage, with its rules for names; other stores have others."""
    store = host.text(f"{DURABLE}.storageProvider.type") or "AzureStorage"
    return store.lower() in ("azurestorage", "azure_storage")


def _hub_name_of_site(site: str | None) -> str:
    """The hub name that the real host makes of a site's name: its letters and digits."""
    if site is None:
        return "TestHubName"
    letters = re.sub(r"[^A-Za-z0-9]", "", site)
    if not letters:
        return "DefaultTaskHub"
    name = (f"t{letters}" if letters[0].isdigit() else letters)[:45]
    return name if len(name) >= 3 else f"{name}Hub"


def _route_prefix(host: HostJson) -> str:
    prefix = host.text("extensions.http.routePrefix")
    if prefix is None:
        return "api"
    if "//" in prefix or prefix.endswith("/") or prefix.startswith(("/", "~")):
        raise host.wrong(
            "extensions.http.routePrefix", prefix, 'segments such as "api" or "api/v1", or ""'
        )
    return prefix


def _connection_name(host: HostJson) -> str:
    provider = f"{DURABLE}.storageProvider"
    host.section(provider)
    named = host.text(f"{provider}.connectionName")
    return named or host.text(f"{provider}.connectionStringName") or "Storage"


def _concurrent(host: HostJson, name: str) -> int:
    return host.count(f"{DURABLE}.{name}") or 10 * (os.cpu_count() or 1)


def _version_match(host: HostJson) -> VersionMatch:
    path = f"{DURABLE}.versionMatchStrategy"
    found = host.one_of(path, ("None", "Strict", "CurrentOrOlder"))
    return cast("VersionMatch", found or "CurrentOrOlder")


def _version_failure(host: HostJson) -> VersionFailure:
    found = host.one_of(f"{DURABLE}.versionFailureStrategy", ("Reject", "Fail"))
    return cast("VersionFailure", found or "Reject")


def _may_replace_running(host: HostJson) -> bool:
    path = f"{DURABLE}.overridableExistingInstanceStates"
    return host.one_of(path, ("NonRunningStates", "AnyState")) == "AnyState"


def _has_extensions(host: HostJson) -> bool:
    """Whether the app names an extension bundle, or brings extensions that were built into it."""
    built_in = host.path.parent / "bin" / "extensions.json"
    return bool(host.section("extensionBundle")) or built_in.exists()


def _function_timeout(host: HostJson) -> timedelta | None:
    found = host.value("functionTimeout")
    if found is None:
        return timedelta(minutes=30)
    if str(found) == "-1":
        return None
    span = re.fullmatch(r"(?:(\d{1,4})\.)?(\d\d?):(\d\d?)(?::(\d\d?))?", str(found))
    if span:
        days, hours, minutes, seconds = (int(part or 0) for part in span.groups())
        timeout = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if hours < 24 and minutes < 60 and seconds < 60 and timeout >= timedelta(seconds=1):
            return timeout
    raise host.wrong("functionTimeout", found, '"hh:mm:ss" of at least a second, or "-1" for none')


def _log_levels(host: HostJson) -> dict[str, str]:
    host.section("logging")
    levels = {}
    for category, level in host.section("logging.logLevel").items():
        known = next((k for k in LEVELS if k.lower() == str(level).lower()), None)
        if known is None:
            raise host.wrong(f"logging.logLevel.{category}", level, f"one of {', '.join(LEVELS)}")
        levels[category] = known
    return levels


def _functions(host: HostJson) -> tuple[str, ...]:
    """The list `functions`, which `func start --functions` sets in the environment."""
    found = host.value("functions") or []
    names = list(found.values()) if isinstance(found, dict) else found
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise host.wrong("functions", found, 'a list of names such as ["start", "process"]')
    return tuple(names)


def _disabled(environ: Mapping[str, str]) -> frozenset[str]:
    """The functions that `AzureWebJobs.<name>.Disabled` disables. `_` can replace `.`."""
    names = set()
    for name, value in environ.items():
        setting = re.fullmatch(r"AzureWebJobs[._](.+)[._]Disabled", name, re.IGNORECASE)
        if setting and value.lower() in ("true", "1"):
            names.add(setting[1].lower())
    return frozenset(names)


def _body_limit(environ: Mapping[str, str]) -> int:
    limit = environ.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "")
    return int(limit) if re.fullmatch(r"\d{1,15}", limit) else BODY_LIMIT
