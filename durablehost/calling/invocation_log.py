"""Logs each call of a function as the real host does, as debug messages."""

import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

from durablehost.app.functions import Function

log = logging.getLogger(__name__)

_SILENT: Final = nullcontext()


def are_calls_logged() -> bool:
    return log.isEnabledFor(logging.DEBUG)


def logged(function: Function, invocation_id: str = "") -> AbstractContextManager[None]:
    """Log the begin and the end of the call in this block. If the block raises, the call failed."""
    return _logged(function, invocation_id or str(uuid.uuid4())) if are_calls_logged() else _SILENT


@contextmanager
def _logged(function: Function, invocation_id: str) -> Iterator[None]:
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
