"""Logs each call of a function in the words of the real host, among the debug messages."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from durablehost.app.functions import Function

log = logging.getLogger(__name__)


@contextmanager
def logged(function: Function, invocation_id: str) -> Iterator[None]:
    """Log the begin and the end of the call in this block, which has failed if it raises."""
    if not log.isEnabledFor(logging.DEBUG):
        yield
        return
    reason, name = _reason(function), function.name
    log.debug("Executing 'Functions.%s' (Reason='%s', Id=%s)", name, reason, invocation_id)
    began, outcome = time.perf_counter(), "Failed"
    try:
        yield
        outcome = "Succeeded"
    finally:
        milliseconds = round(1000 * (time.perf_counter() - began))
        log.debug(
            "Executed 'Functions.%s' (%s, Id=%s, Duration=%dms)",
            name,
            outcome,
            invocation_id,
            milliseconds,
        )


def _reason(function: Function) -> str:
    if function.kind == "http":
        return "This function was programmatically called via the host APIs."
    if function.kind == "queue":
        return f"New queue message detected on '{function.trigger['queueName']}'."
    return "(null)"
