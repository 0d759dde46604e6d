"""Reads the policy of `@app.retry` by the rules of the Python worker."""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from durablehost.app.functions import RetryPolicy


class RetryPolicyWrong(ValueError):
    """The worker's message about a policy that it cannot read, so that no function loads."""

    advice = (
        'Write `@app.retry(strategy="fixed_delay", max_retry_count="3", delay_interval="00:00:05")`'
        ', or `strategy="exponential_backoff"` with `minimum_interval` and `maximum_interval`.'
    )


def read_retry_policy(given: Mapping[str, Any] | None) -> RetryPolicy | None:
    """The retry policy of a function; None without one. Raises RetryPolicyWrong."""
    if given is None:
        return None
    try:
        most = int(given["max_retry_count"])
        if given.get("strategy") == "fixed_delay":
            pause = longest = _interval(given, "delay_interval")
        else:
            pause = _interval(given, "minimum_interval")
            longest = _interval(given, "maximum_interval")
    except (ValueError, TypeError) as error:
        raise RetryPolicyWrong(f"{type(error).__name__}: {error}") from error
    return RetryPolicy(most, pause, longest)


def _interval(given: Mapping[str, Any], name: str) -> timedelta:
    read = time.strptime(given.get(name), "%H:%M:%S")  # type: ignore[arg-type] # None raises
    return timedelta(hours=read.tm_hour, minutes=read.tm_min, seconds=read.tm_sec)
