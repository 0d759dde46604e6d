"""Retention: purge the instances that ended long ago, once a night.

A timer function with the settings RETENTION_SCHEDULE, RETENTION_DAYS and RETENTION_DRY_RUN. It
keeps every instance that has not ended, and every entity. It logs a count for each status.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Final

import azure.durable_functions as df
import azure.functions as func

from activities import clock, limits
from activities.clock import time_text
from activities.settings import flag_setting, number_setting
from http_api.instances import ENDED, Instance, sdk_problems
from http_api.listing import ListingClient
from http_api.problems import Problem

DAYS: Final = 90
LONGEST_RUN: Final = timedelta(minutes=5)  # less than functionTimeout; the next run continues

_AT_ONCE: Final = 10

bp = df.Blueprint()
log = logging.getLogger(__name__)


@bp.timer_trigger(arg_name="timer", schedule="%RETENTION_SCHEDULE%")
@bp.generic_input_binding(arg_name="starter", type="durableClient")
async def purge_ended_instances(timer: func.TimerRequest, starter: str) -> None:
    """Purge the instances that ended more than RETENTION_DAYS ago; a dry run only counts them."""
    client = ListingClient(starter)
    days = number_setting("RETENTION_DAYS", DAYS, limits.KEPT_DAYS.most)
    dry_run = flag_setting("RETENTION_DRY_RUN")
    ended_before = clock.now() - timedelta(days=days)
    stop_at = asyncio.get_running_loop().time() + LONGEST_RUN.total_seconds()
    counted: Counter[str] = Counter()
    changed = 0
    unfinished = ""
    try:
        async for page in _pages(client, ended_before):
            if asyncio.get_running_loop().time() >= stop_at:
                unfinished = "; the next run continues"
                break
            purged = page if dry_run else await purge_each(client, page)
            counted.update(instance.state for instance in purged)
            changed += len(page) - len(purged)
    finally:
        by_status = ", ".join(f"{count} {state}" for state, count in sorted(counted.items()))
        verb = "would purge" if dry_run else "purged"
        log.info(
            "retention: %s %d instances (%s) that ended before %s; %d changed meanwhile%s",
            *(verb, counted.total(), by_status, time_text(ended_before), changed, unfinished),
        )


async def purge_each(
    client: df.DurableOrchestrationClient, instances: Sequence[Instance]
) -> list[Instance]:
    """Purge these instances; return those that were purged. The host keeps one that runs again.

    The client's purge by time is not used: it goes by the time of creation, and is one request for
    all instances, of which nobody knows how far it came if it times out.
    """
    purged: list[Instance] = []
    for start in range(0, len(instances), _AT_ONCE):
        group = instances[start : start + _AT_ONCE]
        done = await asyncio.gather(*(_purge(client, instance.id) for instance in group))
        purged += [instance for instance, is_purged in zip(group, done, strict=True) if is_purged]
    return purged


async def _purge(client: df.DurableOrchestrationClient, instance_id: str) -> bool:
    try:
        with sdk_problems(instance_id):
            return bool((await client.purge_instance_history(instance_id)).instances_deleted)
    except Problem as problem:
        log.info("%s: retention did not purge it: %s", instance_id, problem.detail)
        return False


async def _pages(client: ListingClient, ended_before: datetime) -> AsyncIterator[list[Instance]]:
    """The instances that ended before a time, in pages."""
    async for page in client.every_page(*ENDED, created_to=ended_before):
        yield [
            instance
            for instance in page
            if instance.has_ended and instance.updated and instance.updated < ended_before
        ]
