"""Retention: forget, page by page and once a night, the instances that ended long ago.

A timer function; RETENTION_SCHEDULE, RETENTION_DAYS and RETENTION_DRY_RUN steer it. What has not
ended stays, however old it is, and so does every entity. The log has a count by status.
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
from activities.settings import flag_setting, number_setting
from http_api.instances import ENDED, Instance, sdk_problems
from http_api.listing import ListingClient
from http_api.problems import Problem
from orchestration.showing import time_text

DAYS: Final = 90
LONGEST_RUN: Final = timedelta(minutes=5)  # well within functionTimeout; the next run goes on

_AT_ONCE: Final = 10

bp = df.Blueprint()
log = logging.getLogger(__name__)


@bp.timer_trigger(arg_name="timer", schedule="%RETENTION_SCHEDULE%")
@bp.generic_input_binding(arg_name="starter", type="durableClient")
async def purge_ended_instances(timer: func.TimerRequest, starter: str) -> None:
    """Purge what ended more than so many days ago, or only count it. Run twice it finds nothing."""
    client = ListingClient(starter)
    days = number_setting("RETENTION_DAYS", DAYS, limits.KEPT_DAYS.most)
    dry_run = flag_setting("RETENTION_DRY_RUN")
    ended_before = clock.now() - timedelta(days=days)
    stop_at = asyncio.get_running_loop().time() + LONGEST_RUN.total_seconds()
    counted: Counter[str] = Counter()
    kept = 0
    rest = ""
    try:
        async for page in _pages(client, ended_before):
            if asyncio.get_running_loop().time() >= stop_at:
                rest = "; the next run goes on"
                break
            gone = page if dry_run else await purge_each(client, page)
            counted.update(instance.state for instance in gone)
            kept += len(page) - len(gone)
    finally:
        by_status = ", ".join(f"{count} {state}" for state, count in sorted(counted.items()))
        what = "would purge" if dry_run else "purged"
        log.info(
            "retention %s %d instances (%s) that ended before %s; %d changed meanwhile%s",
            *(what, counted.total(), by_status, time_text(ended_before), kept, rest),
        )


async def purge_each(
    client: df.DurableOrchestrationClient, instances: Sequence[Instance]
) -> list[Instance]:
    """Purge these and return those that were; the host keeps one that runs again meanwhile.

    One by one, as the client's purge by time is a single request for all of them that goes by
    when they were created: it ends within the client's time-out or nobody knows how far it came.
    """
    purged: list[Instance] = []
    for start in range(0, len(instances), _AT_ONCE):
        some = instances[start : start + _AT_ONCE]
        were = await asyncio.gather(*(_was_purged(client, instance.id) for instance in some))
        purged += [instance for instance, was in zip(some, were, strict=True) if was]
    return purged


async def _was_purged(client: df.DurableOrchestrationClient, instance_id: str) -> bool:
    try:
        with sdk_problems(instance_id):
            return bool((await client.purge_instance_history(instance_id)).instances_deleted)
    except Problem as problem:
        log.info("retention leaves %s alone: %s", instance_id, problem.detail)
        return False


async def _pages(client: ListingClient, ended_before: datetime) -> AsyncIterator[list[Instance]]:
    """What ended before a time, in pages; what was created after it cannot have."""
    async for page in client.every_page(*ENDED, created_to=ended_before):
        yield [
            instance
            for instance in page
            if instance.has_ended and instance.updated and instance.updated < ended_before
        ]
