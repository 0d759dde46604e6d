"""What an instance shows of itself: how far it is, and times as people and programs read them."""

from datetime import UTC, datetime
from typing import Any

import azure.durable_functions as df


def show_progress(
    context: df.DurableOrchestrationContext, step: str, done: int, of: int, **more: Any
) -> None:
    """Say in the custom status which step is being done, and how many of how many are."""
    context.set_custom_status({"step": step, "done": done, "of": of, **more})


def time_text(moment: datetime) -> str:
    """A time such as 2026-01-31T08:30:00Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
