"""Waiting for an instance while its caller waits for the answer."""

import asyncio
from typing import Final

import azure.durable_functions as df

from http_api.instances import Instance, find

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0


async def wait_until_ended(
    client: df.DurableOrchestrationClient, instance_id: str, seconds: float
) -> Instance:
    """Return the instance once it has ended, or as it is after so long. Raises Problem 404."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    pause = _FIRST_PAUSE
    while True:
        instance = await find(client, instance_id)
        left = until - loop.time()
        if instance.has_ended or left <= 0:
            return instance
        await asyncio.sleep(min(pause, left))
        pause = min(2 * pause, _LONGEST_PAUSE)
