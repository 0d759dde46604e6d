"""The progress of an instance, its expected end, and waiting for it while the caller waits.

Read from a custom status such as {"step": "collecting", "done": 2, "of": 13}.
"""

import asyncio
import math
from typing import Final

import azure.durable_functions as df

from http_api.answers import RETRY_AFTER_SECONDS
from http_api.instances import Instance, find

SHORTEST_RETRY_AFTER: Final = 1  # seconds
LONGEST_RETRY_AFTER: Final = 60  # seconds

_FIRST_PAUSE: Final = 0.05  # seconds
_LONGEST_PAUSE: Final = 1.0  # seconds


def percent_of(instance: Instance) -> int:
    """How many percent of the steps are done; 100 only for an instance that has ended."""
    done, of = _steps(instance)
    return min(100 * done // of, 100 if instance.has_ended else 99) if of else 0


def retry_after_seconds(instance: Instance) -> int:
    """When the instance will have ended, if the other steps take as long as those that are done."""
    done, of = _steps(instance)
    if not done or instance.created is None or instance.updated is None:
        return RETRY_AFTER_SECONDS
    a_step = (instance.updated - instance.created).total_seconds() / done
    return min(max(math.ceil(a_step * (of - done)), SHORTEST_RETRY_AFTER), LONGEST_RETRY_AFTER)


async def wait_until_ended(
    client: df.DurableOrchestrationClient, instance_id: str, seconds: float
) -> Instance:
    """Return the instance when it has ended or the time is over. Raises Problem 404."""
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


def _steps(instance: Instance) -> tuple[int, int]:
    """The numbers `done` and `of`; zero and zero if the custom status does not contain them."""
    status = instance.custom_status if isinstance(instance.custom_status, dict) else {}
    done, of = status.get("done"), status.get("of")
    return (done, of) if isinstance(done, int) and isinstance(of, int) and of > 0 else (0, 0)
