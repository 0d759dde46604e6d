"""The log of orchestrators: a line once, and not again at every replay."""

import logging

import azure.durable_functions as df

log = logging.getLogger(__name__)


def log_once(context: df.DurableOrchestrationContext, message: str, *args: object) -> None:
    """Log a line of this instance, unless the step that it tells of is only replayed."""
    if not context.is_replaying:
        log.info("%s: " + message, context.instance_id, *args)
