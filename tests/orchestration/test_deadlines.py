"""Waiting takes whole seconds, never too few, and leaves no timer that keeps an instance alive."""

from datetime import timedelta

import pytest

from durablehost.testing import ManualHub
from orchestration.deadlines import LONGEST, SHORTEST


async def test_an_event_in_time_is_returned(hub: ManualHub) -> None:
    instance = await hub.start("waiter", 60)

    await hub.raise_event(instance, "Answered", "yes", after=timedelta(seconds=30))
    await hub.run_until_ended(instance)

    assert hub.output(instance) == ["yes", "did after"]


async def test_without_an_event_in_time_the_result_is_none(hub: ManualHub) -> None:
    instance = await hub.start("waiter", 60)

    await hub.advance(timedelta(seconds=60))

    assert hub.output(instance) == ["too late", "did after"]


async def test_an_event_after_the_deadline_changes_nothing(hub: ManualHub) -> None:
    instance = await hub.start("waiter", 60)

    await hub.raise_event(instance, "Answered", "yes", after=timedelta(seconds=61))
    await hub.advance(timedelta(seconds=70))

    assert hub.output(instance) == ["too late", "did after"]


@pytest.mark.parametrize("days", [1, 4, 20, 30])
async def test_an_event_ends_the_instance_at_once_even_if_the_deadline_is_far(
    hub: ManualHub, days: int
) -> None:
    instance = await hub.start("waiter", days * 86_400)
    await hub.advance(timedelta(hours=5))

    await hub.raise_event(instance, "Answered", "yes")

    assert hub.status(instance) == "Completed"


async def test_an_event_in_the_third_week_is_received(hub: ManualHub) -> None:
    instance = await hub.start("waiter", 30 * 86_400)
    await hub.advance(timedelta(days=17))

    await hub.raise_event(instance, "Answered", "yes")

    assert hub.output(instance) == ["yes", "did after"]


async def test_a_deadline_of_thirty_days_is_exact_to_the_second(hub: ManualHub) -> None:
    instance = await hub.start("waiter", 30 * 86_400)

    await hub.advance(timedelta(days=30) - timedelta(seconds=1))
    assert hub.status(instance) == "Running"

    await hub.advance(timedelta(seconds=1))
    assert hub.output(instance) == ["too late", "did after"]


async def test_a_sleep_of_zero_takes_two_seconds(hub: ManualHub) -> None:
    instance = await hub.start("sleeper", 0)

    await hub.advance(SHORTEST - timedelta(seconds=1))
    assert hub.status(instance) == "Running"

    await hub.advance(timedelta(seconds=1))
    assert hub.status(instance) == "Completed"


async def test_every_timer_is_short_enough_to_be_cancelled(hub: ManualHub) -> None:
    instance = await hub.start("sleeper", 20 * 86_400)
    began = hub.clock.now()
    await hub.run_until_ended(instance)

    timers = [event for event in hub.history(instance) if event["EventType"] == 10]

    assert len(timers) == 7
    assert hub.clock.now() - began == timedelta(days=20)
    assert timedelta(days=6) > LONGEST
