"""An approval is in flight while the app is deployed twice."""

from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import azure.durable_functions as df
import pytest

from activities import approvals
from activities.messages import Message, send_message
from blueprints import human_approval
from durablehost.app.functions import FunctionTable
from durablehost.app.loading import index_app
from durablehost.testing import replay
from orchestration.retrying import call_with_retry
from orchestration.versions import is_before
from tests.approving import CFO, HERE, ID, LEAD, REQUESTER, ask, decide, link
from tests.deploying import Place
from tests.outside import Sandbox

AUDIT = "audit@example.com"
DAY = timedelta(days=1)
as_today: Any = human_approval.payment_approval.build().get_user_function().orchestrator_function


def with_new(app: FunctionTable, kind: str, function: Callable[..., Any]) -> FunctionTable:
    """The app, with one function replaced by another of the same name."""
    changed = df.DFApp()
    if kind == "orchestration":
        changed.orchestration_trigger(context_name="context", input_type=dict)(function)
    else:
        changed.activity_trigger(input_name="request")(function)
    [new] = index_app(changed).functions
    others = [old for old in app.functions if old.name != new.name]
    assert len(others) == len(app.functions) - 1, f"the app has no {new.name}"
    return replace(app, functions=(*others, new))


def tell_the_audit(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """New in 2.0: the audit gets a mail about a payment before anybody is asked."""
    payment = cast(approvals.Payment, context.get_input())
    text = f"approval of {payment['number']} begins"
    message = Message(to=AUDIT, subject="for the record", text=text, key=f"{ID}:audit")
    yield from call_with_retry(context, send_message, message)


@pytest.fixture
def second(durable_app: FunctionTable) -> FunctionTable:
    """The second deployment: a new first step, for instances of 2.0."""

    def payment_approval(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
        if not is_before(context.version, "2.0"):
            yield from tell_the_audit(context)
        return (yield from as_today(context))

    return with_new(durable_app, "orchestration", payment_approval)


@pytest.fixture
def careless(durable_app: FunctionTable) -> FunctionTable:
    """The same new first step for every instance."""

    def payment_approval(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
        yield from tell_the_audit(context)
        return (yield from as_today(context))

    return with_new(durable_app, "orchestration", payment_approval)


@pytest.fixture
def third(second: FunctionTable) -> FunctionTable:
    """The third deployment: another text in the mail, which an activity sends."""

    async def request_approval(request: approvals.DecisionRequest) -> str:
        payment = request["payment"] | {"purpose": "PLEASE, " + request["payment"]["purpose"]}
        asked: Any = approvals.request_approval
        sent: str = await asked({**request, "payment": payment})
        return sent

    return with_new(second, "activity", request_approval)


async def test_an_approval_that_started_before_two_deployments_ends_as_it_started(
    place: Place, sandbox: Sandbox, second: FunctionTable, third: FunctionTable
) -> None:
    async with place.runs("1.0") as hub:
        await ask(hub)
        first_link = await link(sandbox, LEAD)
        await hub.advance(2 * DAY)
    async with place.runs("2.0", second) as hub:
        await hub.advance(4 * DAY)
        await ask(hub, number="INV-2")
    async with place.runs("2.0", third) as hub:
        await hub.advance(4 * DAY)
        mails = [mail["subject"] for mail in await sandbox.mails(LEAD)]
        decided = await decide(hub, first_link, comment="at last")

        assert (decided.status, hub.status(ID)) == (202, "Completed")
        assert hub.output(ID)["outcome"] == "approved"
        assert hub.output(ID)["decisions"][0]["at"] == "2026-01-11T00:00:00Z"
        assert hub.problems(ID) == []
        assert sum("INV-1" in subject for subject in mails) == 9
        [told] = await sandbox.mails(AUDIT)
        assert told["text"] == "approval of INV-2 begins"
        assert (await sandbox.mails(REQUESTER))[-1]["subject"] == (
            "the payment of invoice INV-1 of acme is approved"
        )


async def test_reminders_and_the_escalation_keep_their_days_across_both_deployments(
    place: Place, sandbox: Sandbox, second: FunctionTable, third: FunctionTable
) -> None:
    async with place.runs("1.0") as hub:
        await ask(hub)
        await hub.advance(1.5 * DAY)
    async with place.runs("2.0", second) as hub:
        await hub.advance(DAY)
        asked = len(await sandbox.mails(LEAD)), len(await sandbox.mails(CFO))
    async with place.runs("2.0", third) as hub:
        await hub.advance(DAY)

        assert asked == (3, 0)
        assert len(await sandbox.mails(CFO)) == 1
        newest = (await sandbox.mails(LEAD))[-1]["text"]
        assert "PLEASE, a new lathe" in newest


async def test_an_approval_expires_although_the_app_was_not_running(
    place: Place, sandbox: Sandbox, second: FunctionTable
) -> None:
    async with place.runs("1.0") as hub:
        await ask(hub)
        here = await link(sandbox, LEAD)
    place.now += 31 * DAY
    async with place.runs("2.0", second) as hub:
        late = await decide(hub, here)
        await hub.advance(timedelta(minutes=1))

        assert (hub.output(ID)["outcome"], late.status) == ("expired", 410)
        assert (len(await sandbox.mails(LEAD)), await sandbox.mails(CFO)) == (1, [])


async def test_an_unsafe_deployment_fails_the_approval_and_a_recorded_history_reports_it_before(
    place: Place, sandbox: Sandbox, careless: FunctionTable
) -> None:
    async with place.runs("1.0") as hub:
        await ask(hub)
        in_flight = hub.history(ID)

    [said] = replay(careless, in_flight).problems
    async with place.runs("1.0", careless) as hub:
        hub.allow_problems("replay-differs")
        await decide(hub, await link(sandbox, LEAD))
        operation = (await hub.request("GET", HERE)).json()

    assert "is activity 'set_approval_terms'; the code now has activity 'send_message' (" in said
    assert (operation["runtimeStatus"], operation["output"]["code"]) == ("Failed", "internal")


async def test_the_second_deployment_continues_what_was_recorded_before_it(
    place: Place, sandbox: Sandbox, second: FunctionTable
) -> None:
    async with place.runs("1.0") as hub:
        await ask(hub)
        in_flight = hub.history(ID)

    replayed = replay(second, in_flight)

    assert (replayed.status, replayed.schedules, replayed.problems) == ("Running", [], [])


async def test_with_another_key_no_link_in_a_mail_is_valid(
    place: Place, sandbox: Sandbox, second: FunctionTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.runs("1.0") as hub:
        await ask(hub)
        here = await link(sandbox, LEAD)
    monkeypatch.setenv("DECISION_KEY", "another-key-for-tests-that-is-long-enough")
    async with place.runs("2.0", second) as hub:
        refused = await decide(hub, here)
        await hub.advance(DAY)
        reminded = await decide(hub, await link(sandbox, LEAD))

        assert (refused.status, reminded.status) == (403, 202)
        assert hub.output(ID)["outcome"] == "approved"
