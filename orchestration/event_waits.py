"""Waiting for external events while activities run.

The waits are open from before the first activity is scheduled. Of the events that arrive under one
name while nobody waits for it, the SDK keeps only the last; an open wait receives the first.
"""

from collections.abc import Callable, Generator, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import azure.durable_functions as df

from orchestration.deadlines import wait_any
from orchestration.retrying import Retry, jitter_of
from orchestration.settling import Settled, end_of

# Handles the events that have arrived, and returns the waits that are open; None ends the waiting.
Listen: TypeAlias = Callable[[], list[Any] | None]


def listen_until(
    context: df.DurableOrchestrationContext, listen: Listen, deadline: datetime
) -> Generator[Any, Any, None]:
    """Wait for events until the deadline, or until `listen` returns None."""
    while (waits := listen()) is not None:
        left = deadline - context.current_utc_datetime
        if left <= timedelta(0) or (yield from wait_any(context, waits, left)) is None:
            return


def call_while_listening(
    context: df.DurableOrchestrationContext,
    activity: Any,
    requests: Mapping[str, object],
    listen: Listen,
    deadline: datetime,
    retry: Retry,
) -> Generator[Any, Any, dict[str, Settled]]:
    """Call an activity on every request, with retries, and return how each call ended.

    Returns as soon as `listen` returns None; a call that still runs then is not in the result, and
    the instance stays Running until it ends. No attempt starts after the deadline.
    """
    give_up = min(context.current_utc_datetime + retry.within, deadline)
    ends: dict[str, Settled] = {}
    waiting, attempt = dict(requests), 1
    while waiting:
        calls = {name: context.call_activity(activity, waiting[name]) for name in waiting}
        running, waits = list(calls.values()), listen()
        while running and waits is not None:
            yield context.task_any([*waits, *running])
            running = [call for call in running if not call.is_completed]
            # A wait that `listen` has just opened joins the next calls or the next timer: the host
            # goes past a group once something ends that is new in it, and this may never end.
            waits = None if listen() is None else [one for one in waits if not one.is_completed]
        ends |= {name: end for name, call in calls.items() if (end := end_of(call))}
        failures = {name: ends[name].failure for name in waiting if name in ends}
        waiting = {
            name: waiting[name] for name, why in failures.items() if why and retry.should_retry(why)
        }
        again = context.current_utc_datetime + retry.pause(attempt, jitter_of(context, attempt))
        if not waiting or listen() is None or attempt == retry.attempts or again > give_up:
            break
        yield from listen_until(context, listen, again)
        attempt += 1
    return ends
