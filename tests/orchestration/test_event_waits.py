"""Events are received from before the first call, during calls and pauses, until a deadline."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from durablehost.app.functions import FunctionTable
from durablehost.testing import ManualHub, every_crash
from orchestration.failures import Failure

ID = "listener-1"
BUSY = Failure("busy", "later", retriable=True)


async def start(hub: ManualHub, *work: str) -> None:
    await hub.start("listener", list(work), instance_id=ID)


async def send(hub: ManualHub, *numbers: int) -> None:
    for number in numbers:
        await hub.raise_event(ID, "Number", number)


def calls_of(hub: ManualHub, work: str) -> int:
    return sum(call.input == work for call in hub.calls("do_work"))


def events_during(hub: ManualHub, work: str, *numbers: int) -> None:
    """Have events arrive while a piece of work is done."""

    async def do_work(asked: str) -> str:
        if asked == work:
            await send(hub, *numbers)
        return f"did {asked}"

    hub.replace_activity("do_work", do_work)


def failing(hub: ManualHub, *failures: str) -> Callable[[str], str]:
    def do_work(work: str) -> str:
        if work in failures:
            raise BUSY
        return f"did {work}"

    return do_work


async def test_it_waits_for_all_calls_and_then_for_the_event(hub: ManualHub) -> None:
    await start(hub, "a", "b")
    await hub.advance(timedelta(minutes=30))
    await send(hub, 7)

    ends = {"a": "did a", "b": "did b"}
    assert hub.output(ID) == {"arrived": [7], "ends": ends, "after": "did after"}


async def test_the_deadline_ends_the_waiting(hub: ManualHub) -> None:
    await start(hub, "a")
    await send(hub, 1)
    await hub.advance(timedelta(hours=1) - timedelta(seconds=1))
    assert hub.status(ID) == "Running"

    await hub.advance(timedelta(seconds=1))

    assert hub.output(ID) == {"arrived": [1], "ends": {"a": "did a"}, "after": "did after"}


@pytest.mark.parametrize("numbers", [[7], [1, 7], [1, 2, 7]])
async def test_the_awaited_event_ends_the_retries_at_once(
    hub: ManualHub, numbers: list[int]
) -> None:
    hub.replace_activity("do_work", failing(hub, "b"))
    await start(hub, "a", "b")
    before = hub.clock.now()

    await send(hub, *numbers)

    assert hub.clock.now() == before
    assert hub.output(ID) == {
        "arrived": numbers,
        "ends": {"a": "did a", "b": "busy"},
        "after": "did after",
    }
    assert calls_of(hub, "b") == 1


async def test_of_two_events_that_arrive_during_a_call_the_first_is_received(
    hub: ManualHub,
) -> None:
    events_during(hub, "a", 7, 8)

    await start(hub, "a")

    assert hub.output(ID)["arrived"] == [7]


async def test_an_event_that_is_not_the_awaited_one_leaves_no_wait_that_the_host_is_stuck_in(
    hub: ManualHub,
) -> None:
    events_during(hub, "a", 1)

    await start(hub, "a", "b")
    await hub.advance(timedelta(hours=1))

    assert hub.output(ID)["after"] == "did after"
    assert hub.problems(ID) == []


async def test_only_calls_that_failed_are_made_again(hub: ManualHub) -> None:
    hub.fail_activity("do_work", BUSY, on_call=2)

    await start(hub, "a", "b")
    await hub.run_until_ended(ID)

    assert (calls_of(hub, "a"), calls_of(hub, "b")) == (1, 2)
    assert hub.output(ID)["ends"] == {"a": "did a", "b": "did b"}


async def test_no_attempt_starts_after_the_deadline(hub: ManualHub) -> None:
    hub.replace_activity("do_work", failing(hub, "a"))
    hub.slow_activity("do_work", timedelta(minutes=25))

    await start(hub, "a")
    await hub.run_until_ended(ID)

    assert (calls_of(hub, "a"), hub.output(ID)["ends"]) == (3, {"a": "busy"})


async def test_a_failure_that_another_attempt_would_not_mend_ends_the_calls(
    hub: ManualHub,
) -> None:
    hub.fail_activity("do_work", Failure("refused", "no"), on_call=1)

    await start(hub, "a")
    await send(hub, 7)

    assert (calls_of(hub, "a"), hub.output(ID)["ends"]) == (1, {"a": "refused"})


async def test_a_crash_between_any_two_steps_changes_nothing(durable_app: FunctionTable) -> None:
    async def run(hub: ManualHub) -> None:
        hub.fail_activity("do_work", BUSY, on_call=1)
        await start(hub, "a", "b")
        await send(hub, 1)
        await hub.advance(timedelta(seconds=3))
        await send(hub, 7)

    async for hub in every_crash(durable_app, run):
        await hub.advance(timedelta(minutes=1))
        if not hub.instance(ID).ended:
            await send(hub, 7)

        output: Any = hub.output(ID)
        assert output["arrived"] in ([7], [1, 7])
        assert output["ends"] == {"a": "did a", "b": "did b"}
        assert hub.problems(ID) == []
