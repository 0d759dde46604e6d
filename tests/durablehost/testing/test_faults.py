"""Crashes at every step, faults of every call, and other orders of what happens at once."""

from datetime import timedelta

import azure.durable_functions as df
import pytest

from durablehost.testing import Fault, ManualHub, every_crash, every_fault

HOUR = timedelta(hours=1)

app = df.DFApp()
ledger: list[str] = []


@app.orchestration_trigger(context_name="context")
def pays(context):
    """Charges a card and ships, with one retry for the charge."""
    retry = df.RetryOptions(60_000, 2)
    yield context.call_activity_with_retry("charge", retry, context.instance_id)
    try:
        yield context.call_activity("ship", "parcel")
    except Exception:  # the SDK raises nothing narrower
        yield context.call_activity("refund", context.instance_id)
        return "refunded"
    return "shipped"


@app.activity_trigger(input_name="payment")
def charge(payment):
    ledger.append(payment)


@app.activity_trigger(input_name="parcel")
def ship(parcel):
    pass


@app.activity_trigger(input_name="payment")
def refund(payment):
    ledger.remove(payment)


@app.orchestration_trigger(context_name="context")
def quickest(context):
    """Takes the first of two quotes, and makes the mistake to think that it is acme's."""
    quotes = [context.call_activity("quote", vendor) for vendor in ("acme", "zeta")]
    yield context.task_any(quotes)
    return quotes[0].result


@app.activity_trigger(input_name="vendor")
def quote(vendor):
    return f"quote of {vendor}"


@app.orchestration_trigger(context_name="context")
def in_time(context):
    """Whether an activity or a timer comes first."""
    activity = context.call_activity("quote", "acme")
    timer = context.create_timer(context.current_utc_datetime + HOUR)
    winner = yield context.task_any([activity, timer])
    if winner is activity:
        timer.cancel()
    return winner is activity


@app.orchestration_trigger(context_name="context")
def gathers(context):
    """The order in which its own children end."""
    children = [context.call_sub_orchestrator("sleeps", name) for name in "abc"]
    ended = []
    while children:
        winner = yield context.task_any(children)
        children.remove(winner)
        ended.append(winner.result)
    return "".join(ended)


@app.orchestration_trigger(context_name="context", input_type=str)
def sleeps(context):
    yield context.create_timer(context.current_utc_datetime + HOUR)
    return context.get_input()


async def pay(hub: ManualHub) -> None:
    ledger.clear()
    await hub.run_until_ended(await hub.start("pays", instance_id="p"))


async def test_a_crash_comes_after_every_commit_once() -> None:
    charges = []
    async for hub in every_crash(app, pay):
        await hub.run_until_ended("p")
        assert hub.output("p") == "shipped"
        charges.append(len(ledger))

    # The start is the first commit. Where the result of a charge is lost, it is charged again.
    assert charges == [1, 2, 1, 1, 1]


async def test_a_run_that_commits_nothing_cannot_crash() -> None:
    async def idle(hub: ManualHub) -> None:
        await hub.run_until_idle()

    with pytest.raises(AssertionError, match="nothing was committed"):
        [hub async for hub in every_crash(app, idle)]


async def test_each_call_of_each_activity_fails_once_fails_always_and_runs_twice() -> None:
    seen = {}
    async for hub, fault in every_fault(app, pay):
        seen[str(fault)] = (str(hub.status("p")), hub.output("p"), list(ledger))

    charge, ship = ("charge {}, at its call 1".format, "ship {}, at its call 1".format)
    failed, output, charged = seen.pop(charge("always fails"))
    assert (failed, charged) == ("Failed", [])
    assert "charge always fails" in output
    assert seen == {
        charge("fails once"): ("Completed", "shipped", ["p"]),
        charge("runs twice"): ("Completed", "shipped", ["p", "p"]),
        ship("fails once"): ("Completed", "refunded", []),
        ship("always fails"): ("Completed", "refunded", []),
        ship("runs twice"): ("Completed", "shipped", ["p"]),
    }


async def test_a_run_that_a_fault_ends_names_the_fault() -> None:
    async def pay_or_raise(hub: ManualHub) -> None:
        await pay(hub)
        await hub.result("p")

    with pytest.raises(AssertionError) as caught:
        [fault async for _, fault in every_fault(app, pay_or_raise, kinds=["always fails"])]

    fault = Fault("charge", "always fails", 1)
    assert caught.value.__notes__ == [f"The fault of this run: {fault}"]


# Another order


async def results_of(orchestrator: str, seed: int | None) -> object:
    async with ManualHub(app, seed=seed) as hub:
        hub.slow_activity("quote", HOUR)
        return await hub.result(await hub.start(orchestrator))


@pytest.mark.parametrize(
    ("orchestrator", "in_order", "in_any_order"),
    [
        ("quickest", "quote of acme", {"quote of acme", None}),
        ("in_time", False, {True, False}),
        ("gathers", "abc", {"abc", "acb", "bac", "bca", "cab", "cba"}),
    ],
)
async def test_a_seed_lets_completions_of_one_moment_come_in_any_order(
    orchestrator: str, in_order: object, in_any_order: set[object]
) -> None:
    without = {await results_of(orchestrator, None) for _ in range(3)}
    shuffled = [await results_of(orchestrator, seed) for seed in range(40)]

    assert without == {in_order}
    assert set(shuffled) == in_any_order
    assert [await results_of(orchestrator, seed) for seed in range(5)] == shuffled[:5]


async def test_a_hub_can_be_shuffled_after_it_was_made() -> None:
    results = set()
    for seed in range(20):
        async with ManualHub(app) as hub:
            hub.shuffle(seed)
            results.add(await hub.result(await hub.start("quickest")))

    assert results == {"quote of acme", None}
