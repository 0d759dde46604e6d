"""Finds the settings of an app that have no effect on durablehost."""

from collections.abc import Iterator, Mapping

from durablehost.settings.host_json import HostJson
from durablehost.settings.log_levels import has_effect

# By section, in lower case: the settings that are used, and others that the real host knows.
_USED = {
    "extensions.durabletask": {
        "defaultversion",
        "hubname",
        "maxconcurrentactivityfunctions",
        "maxconcurrentorchestratorfunctions",
        "overridableexistinginstancestates",
        "storageprovider",
        "versionfailurestrategy",
        "versionmatchstrategy",
    },
    "extensions.durabletask.storageprovider": {"connectionname", "connectionstringname"},
    "extensions.http": {"routeprefix"},
    "extensions.queues": {
        "batchsize",
        "maxdequeuecount",
        "maxpollinginterval",
        "messageencoding",
        "newbatchthreshold",
        "visibilitytimeout",
    },
    "extensions.blobs": {"maxdegreeofparallelism", "poisonblobthreshold"},
}
_KNOWN = {
    "extensions.durabletask": {
        "appleaseoptions",
        "entitymessagereorderwindowinminutes",
        "extendedsessionidletimeoutinseconds",
        "extendedsessionsenabled",
        "grpcendpointenabled",
        "httpsettings",
        "localrpcendpointenabled",
        "maxconcurrententityfunctions",
        "maxentityoperationbatchsize",
        "maxgrpcmessagesizeinbytes",
        "maxorchestrationactions",
        "notifications",
        "rollbackentityoperationsonexceptions",
        "storeinputsinorchestrationhistory",
        "throwstatusexceptionsonraiseevent",
        "tracing",
        "useapplease",
        "usegracefulshutdown",
    },
    "extensions.http": {
        "customheaders",
        "dynamicthrottlesenabled",
        "hsts",
        "maxconcurrentrequests",
        "maxoutstandingrequests",
    },
}
_KNOWN_AT_TOP = {
    "aggregator",
    "concurrency",
    "customhandler",
    "healthmonitor",
    "isdefaulthostconfig",
    "manageddependencies",
    "manageddependency",
    "metadataprovidertimeout",
    "retry",
    "sendcanceledinvocationstoworker",
    "singleton",
    "telemetrymode",
    "watchdirectories",
    "watchfiles",
}
# In these sections either all settings are used, or none would make a difference here.
_SILENT = {"extensionbundle", "extensions", "functions", "functiontimeout", "logging", "version"}
_DEBUG_LOGGING = "PYTHON_ENABLE_DEBUG_LOGGING"
# App settings that have an effect on Azure, and why they have none here.
_IN_ENVIRONMENT = {
    "APPINSIGHTS_INSTRUMENTATIONKEY": "telemetry goes to OTEL_EXPORTER_OTLP_ENDPOINT only",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "telemetry goes to OTEL_EXPORTER_OTLP_ENDPOINT only",
    "FUNCTIONS_WORKER_PROCESS_COUNT": "there is one process",
    "WEBSITE_TIME_ZONE": "timers run in UTC",
}
# Each store has its own settings, so none can be called unknown.
_OPEN = "extensions.durabletask.storageprovider"


def unused_settings(host: HostJson, environ: Mapping[str, str]) -> Iterator[str]:
    """List the settings of host.json and of the app that have no effect.

    Says which of them the real host does not know either.
    """
    for name, why in _IN_ENVIRONMENT.items():
        if environ.get(name):
            yield f"{name}: {why}"
    yield from _unused_logging(host, environ)
    for name in host.values:
        if name.lower() not in _SILENT:
            yield _described(name, name.lower() in _KNOWN_AT_TOP)
    for extension in host.section("extensions"):
        path = f"extensions.{extension}"
        if path.lower() in _USED:
            yield from _unused_below(host, path)
        else:
            yield path


def is_debug_logging(environ: Mapping[str, str]) -> bool:
    """Whether the Python worker passes on the debug messages of the app."""
    return environ.get(_DEBUG_LOGGING, "").lower() in ("1", "true", "t", "y", "yes")


def _unused_logging(host: HostJson, environ: Mapping[str, str]) -> Iterator[str]:
    for name in host.section("logging"):
        if name.lower() != "loglevel":
            yield f"logging.{name}"
    for category, level in host.section("logging.logLevel").items():
        path = f"logging.logLevel.{category}"
        if not has_effect(category):
            yield path
        elif str(level).lower() in ("trace", "debug") and not is_debug_logging(environ):
            yield f"{path} for the app's debug messages: they need {_DEBUG_LOGGING}=1, as on Azure"


def _unused_below(host: HostJson, path: str) -> Iterator[str]:
    section = path.lower()
    for name in host.section(path):
        full = f"{path}.{name}"
        if name.lower() not in _USED[section]:
            known = section == _OPEN or name.lower() in _KNOWN.get(section, ())
            yield _described(full, known)
        elif full.lower() in _USED:
            yield from _unused_below(host, full)


def _described(path: str, known: bool) -> str:
    return path if known else f"{path} (no such setting)"
