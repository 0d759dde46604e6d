"""Of many tasks each has its own end, and no more run at once than allowed."""

import asyncio
from datetime import timedelta

from durablehost.testing import ManualHub
from orchestration.failures import Failure

REFUSED = Failure("refused", "no")
BUSY = Failure("busy", "later", retriable=True)


async def test_a_failure_does_not_hide_the_results_of_others(hub: ManualHub) -> None:
    hub.fail_activity("do_work", Failure("refused", "no"), on_call=2)

    instance = await hub.start("settler", ["a", "b", "c"])

    assert hub.output(instance) == ["did a", {"code": "refused", "message": "no"}, "did c"]


async def test_all_may_fail(hub: ManualHub) -> None:
    for call in (1, 2, 3):
        hub.fail_activity("do_work", Failure(f"refused_{call}", "no"), on_call=call)

    instance = await hub.start("settler", ["a", "b", "c"])

    codes = [end["code"] for end in hub.output(instance)]
    assert codes == ["refused_1", "refused_2", "refused_3"]


async def test_nothing_to_do_settles_at_once(hub: ManualHub) -> None:
    instance = await hub.start("settler", [])

    assert hub.output(instance) == []


async def test_results_are_in_the_order_of_the_payloads(hub: ManualHub) -> None:
    work = [str(number) for number in range(23)]

    instance = await hub.start("mapper", {"work": work, "at_once": 5})

    assert hub.output(instance) == [f"did {number}" for number in work]


async def test_no_more_run_at_once_than_allowed(hub: ManualHub) -> None:
    running, most = 0, 0

    async def count(work: str) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return work

    hub.replace_activity("do_work", count)

    await hub.start("mapper", {"work": [str(number) for number in range(23)], "at_once": 5})

    assert most == 5


async def test_only_what_is_worth_it_is_tried_again(hub: ManualHub) -> None:
    hub.fail_activity("do_work", Failure("refused", "no"), on_call=1)
    hub.fail_activity("do_work", Failure("busy", "later", retriable=True), on_call=2)

    instance = await hub.start("mapper", {"work": ["a", "b", "c"], "at_once": 3})
    await hub.run_until_ended(instance)

    assert [call.input for call in hub.calls("do_work")] == ["a", "b", "c", "b"]
    assert hub.output(instance) == [None, "did b", "did c"]


async def test_no_wave_starts_after_the_deadline(hub: ManualHub) -> None:
    hub.replace_activity("do_work", busy)
    begun = hub.clock.now()

    instance = await hub.start("mapper", {"work": ["a"], "at_once": 1, "within": 10})
    await hub.run_until_ended(instance)

    assert hub.output(instance) == [None]
    assert hub.calls("do_work")[-1].at - begun <= timedelta(seconds=10)
    assert len(hub.calls("do_work")) == 3


async def test_what_never_works_ends_as_a_failure(hub: ManualHub) -> None:
    hub.replace_activity("do_work", busy)

    instance = await hub.start("mapper", {"work": ["a", "b"], "at_once": 1})
    await hub.run_until_ended(instance)

    assert hub.output(instance) == [None, None]
    assert len(hub.calls("do_work")) == 10


def busy(_: object) -> object:
    raise BUSY
