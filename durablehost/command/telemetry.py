"""Finds out whether the app's settings name an OpenTelemetry collector.

Otherwise nothing of OpenTelemetry's SDK is imported, and nothing of `durablehost.tracing`.
"""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from durablehost.tracing import Tracing

ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"

log = logging.getLogger(__name__)


def load_tracing(environ: Mapping[str, str], service: str) -> "Tracing | None":
    """What exports to the collector that the settings name; None if they name none.

    `service` is the name of the app in the collector, unless OTEL_SERVICE_NAME has another one.
    """
    if not environ.get(ENDPOINT):
        return None
    try:
        from durablehost.tracing import Tracing
    except ImportError as missing:
        log.warning(
            "%s is set, but nothing is exported, because packages are missing (%s)."
            " Install durablehost with its extra [telemetry].",
            ENDPOINT,
            missing,
        )
        return None
    return Tracing(environ.get("OTEL_SERVICE_NAME") or service)
