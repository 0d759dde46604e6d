"""Cancelled work ends between two activities, at once where none runs, and cleans up last."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from durablehost.app.functions import FunctionTable
from durablehost.testing import ManualHub, every_crash
from orchestration.cancel_rules import CANCEL_EVENT
from orchestration.failures import Failure

ID = "work-1"
BUSY = Failure("busy", "later", retriable=True)
WORK = ["a", "b", "c"]


async def start(hub: ManualHub) -> None:
    await hub.start("cleaner", WORK, instance_id=ID)


async def cancel(hub: ManualHub) -> None:
    await hub.raise_event(ID, CANCEL_EVENT, {"reason": "enough"})


def works(hub: ManualHub) -> list[str]:
    return [call.input for call in hub.calls("do_work")]


def cancelled_during(hub: ManualHub, work: str, end: Callable[[], str]) -> None:
    """Have somebody cancel while a piece of work is done, which then ends so."""

    async def do_work(asked: str) -> str:
        if asked == work:
            await cancel(hub)
            return end()
        return f"did {asked}"

    hub.replace_activity("do_work", do_work)


def refuse() -> str:
    raise Failure("refused", "no")


def be_busy() -> str:
    raise BUSY


async def test_work_that_nobody_cancels_is_done(hub: ManualHub) -> None:
    await start(hub)

    assert hub.output(ID) == ["did a", "did b", "did c"]


@pytest.mark.parametrize("during", WORK)
async def test_an_activity_that_runs_ends_before_it_is_cleaned_up(
    hub: ManualHub, during: str
) -> None:
    cancelled_during(hub, during, lambda: "did it late")

    await start(hub)

    before = WORK[: WORK.index(during)]
    assert hub.output(ID) == [*(f"did {work}" for work in before), "cancelled: enough"]
    assert works(hub) == [*before, during, "clean up"]


@pytest.mark.parametrize("end", [refuse, be_busy])
@pytest.mark.parametrize("during", WORK)
async def test_cancelled_work_that_fails_is_cancelled_and_not_tried_again(
    hub: ManualHub, during: str, end: Callable[[], str]
) -> None:
    cancelled_during(hub, during, end)

    await start(hub)

    assert hub.output(ID)[-1] == "cancelled: enough"
    assert works(hub)[-2:] == [during, "clean up"]


@pytest.mark.parametrize("call", [1, 2, 3])
async def test_a_pause_before_another_attempt_ends_at_once(hub: ManualHub, call: int) -> None:
    hub.fail_activity("do_work", BUSY, on_call=call)
    await start(hub)
    before = hub.clock.now()

    await cancel(hub)

    assert hub.status(ID) == "Completed"
    assert hub.output(ID)[-1] == "cancelled: enough"
    assert hub.clock.now() == before


async def test_a_hiccup_is_survived(hub: ManualHub) -> None:
    for call in (1, 2, 4, 6):
        hub.fail_activity("do_work", BUSY, on_call=call)

    await start(hub)
    await hub.run_until_ended(ID)

    assert works(hub) == ["a", "a", "a", "b", "b", "c", "c"]
    assert hub.output(ID) == ["did a", "did b", "did c"]


async def test_work_that_never_succeeds_fails_after_its_attempts(hub: ManualHub) -> None:
    hub.replace_activity("do_work", lambda work: be_busy())

    await start(hub)
    await hub.run_until_ended(ID)

    assert (works(hub), hub.output(ID)) == (["a"] * 5, ["busy"])


async def test_what_is_not_worth_another_attempt_fails_at_once(hub: ManualHub) -> None:
    hub.fail_activity("do_work", Failure("refused", "no"), on_call=2)

    await start(hub)

    assert hub.output(ID) == ["did a", "refused"]


async def test_who_cancels_twice_has_cancelled(hub: ManualHub) -> None:
    hub.fail_activity("do_work", BUSY, on_call=2)
    await start(hub)
    await hub.suspend(ID)
    await cancel(hub)
    await cancel(hub)

    await hub.resume(ID)

    assert hub.output(ID) == ["did a", "cancelled: enough"]


@pytest.mark.parametrize("data", [None, "enough", {"reason": 5}, {}])
async def test_a_cancel_without_words_cancels(hub: ManualHub, data: object) -> None:
    hub.fail_activity("do_work", BUSY, on_call=2)
    await start(hub)

    await hub.raise_event(ID, CANCEL_EVENT, data)

    assert hub.output(ID) == ["did a", "cancelled: "]


async def test_a_crash_between_any_two_steps_changes_nothing(durable_app: FunctionTable) -> None:
    async def run(hub: ManualHub) -> None:
        hub.fail_activity("do_work", BUSY, on_call=1)
        await start(hub)
        await hub.advance(timedelta(seconds=3))
        assert hub.status(ID) == "Completed"

    async for hub in every_crash(durable_app, run):
        await hub.run_until_ended(ID)

        assert hub.output(ID) == ["did a", "did b", "did c"]
        assert hub.problems(ID) == []


async def test_a_crash_after_a_cancel_changes_nothing(durable_app: FunctionTable) -> None:
    async def run(hub: ManualHub) -> None:
        cancelled_during(hub, "b", lambda: "did b late")
        await start(hub)

    async for hub in every_crash(durable_app, run):
        await hub.run_until_ended(ID)

        assert hub.output(ID) == ["did a", "cancelled: enough"]
        assert hub.problems(ID) == []
