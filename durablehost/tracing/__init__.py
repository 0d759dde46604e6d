"""Traces and log lines for an OpenTelemetry collector.

The parts of a host have traced forms here, with the constructors of the plain ones.
"""

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

from durablehost.calling.invoker import Invoker
from durablehost.engine.activities import ActivityRunner
from durablehost.store import SqliteBackend
from durablehost.tracing.spans import Spans
from durablehost.tracing.traced_backend import TracedBackend
from durablehost.tracing.traced_calls import (
    TracedActivityRunner,
    TracedCode,
    TracedInvoker,
    TracedManagement,
)
from durablehost.web.management import Management


class Tracing:
    """Exports spans and log lines to the collector, and makes the parts that produce them."""

    def __init__(self, service: str) -> None:
        self._spans = Spans(service)

    @property
    def log_handler(self) -> logging.Handler:
        return self._spans.log_handler

    def serve_app(self) -> None:
        """Export the app's own spans, too, unless the app has chosen where they go."""
        self._spans.serve_app()

    def close(self) -> None:
        """Export what is left."""
        self._spans.close()

    def backend(self, path: Path | str) -> SqliteBackend:
        self._backend = TracedBackend(path, self._spans)
        return self._backend

    def invoker(self, route_prefix: str) -> Callable[..., Invoker]:
        return partial(TracedInvoker, self._spans, route_prefix)

    @property
    def runner(self) -> Callable[..., ActivityRunner]:
        return partial(TracedActivityRunner, self._spans, self._backend)

    @property
    def management(self) -> Callable[..., Management]:
        return TracedManagement

    @property
    def code(self) -> TracedCode:
        return TracedCode(self._spans, self._backend)
