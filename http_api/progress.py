"""How far an instance is, by a custom status such as {"step": "posting", "done": 2, "of": 3}."""

import math
from typing import Final

from http_api.answers import RETRY_AFTER_SECONDS
from http_api.instances import Instance

SOONEST_SECONDS: Final = 1
LATEST_SECONDS: Final = 60


def percent_of(instance: Instance) -> int:
    """How much is done; 100 only of one that has ended."""
    done, of = _steps(instance)
    return min(100 * done // of, 100 if instance.has_ended else 99) if of else 0


def seconds_left(instance: Instance) -> int:
    """When to look again: when it will have ended, if it goes on as it went so far."""
    done, of = _steps(instance)
    if not done or instance.created is None or instance.updated is None:
        return RETRY_AFTER_SECONDS
    a_step = (instance.updated - instance.created).total_seconds() / done
    return min(max(math.ceil(a_step * (of - done)), SOONEST_SECONDS), LATEST_SECONDS)


def _steps(instance: Instance) -> tuple[int, int]:
    """How many steps are done, and of how many; none of none where it does not say."""
    status = instance.custom_status if isinstance(instance.custom_status, dict) else {}
    done, of = status.get("done"), status.get("of")
    return (done, of) if isinstance(done, int) and isinstance(of, int) and of > 0 else (0, 0)
