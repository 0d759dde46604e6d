"""Retention purges the instances that ended long ago, and keeps all others and every entity."""

import logging
from datetime import timedelta

import azure.durable_functions as df
import azure.functions as func
import pytest

from activities import limits
from blueprints import retention
from durablehost.errors import FunctionFailed
from durablehost.settings import Settings
from durablehost.testing import ManualHub
from http_api.instances import Instance
from orchestration.failures import Failure
from tests.source import ROOT

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def world(hub: ManualHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Activities that call nobody, and default settings.

    The tests run the timer function by hand.
    """
    hub.stop_timers()
    for name in ("RETENTION_DAYS", "RETENTION_DRY_RUN"):
        monkeypatch.delenv(name, raising=False)
    hub.replace_activity("match_order", lambda invoice: invoice)
    hub.replace_activity("post_invoice", lambda order: {"id": "posting-1", "amount_cents": 1})
    hub.replace_activity("look_at_transfer", lambda look: {"status": "pending", "reason": None})
    hub.replace_activity("audit_ledger", lambda order: {"open": []})


async def purge(hub: ManualHub) -> None:
    await hub.fire("purge_ended_instances")


def ids(hub: ManualHub) -> set[str]:
    return {instance.id for instance in hub.instances()}


async def intakes(hub: ManualHub, count: int, name: str = "INV") -> set[str]:
    """So many instances that end at once."""
    invoice = {"vendor": "acme", "order": "PO-1", "amount_cents": 500, "currency": "EUR"}
    started = [f"intake:acme:{name}-{number}" for number in range(count)]
    for number, instance_id in enumerate(started):
        given = invoice | {"number": f"{name}-{number}"}
        await hub.start("invoice_intake", given, instance_id=instance_id)
    return set(started)


async def watch(hub: ManualHub, name: str) -> str:
    """One instance that ends after two days."""
    given = {"transfer": name, "within_hours": 48}
    return await hub.start("settlement_watch", given, instance_id=f"settlement:{name}")


async def one_of_each_that_ended(hub: ManualHub) -> set[str]:
    completed = await intakes(hub, 3, "DONE")
    hub.fail_activity("validate_invoice", Failure("currency_unknown", "no such currency"))
    failed = await intakes(hub, 1, "BAD")
    terminated = await watch(hub, "terminated")
    await hub.terminate(terminated, "no more")
    return completed | failed | {terminated}


async def pending(hub: ManualHub, name: str) -> str:
    """One instance that waits for a version of the app that there is not."""
    return await hub.start("invoice_intake", {}, instance_id=name, version="99.0")


async def one_of_each_that_goes_on(hub: ManualHub) -> set[str]:
    """Instances that no day ends, and an entity."""
    running = await hub.start("ledger_sweep", {"every_minutes": 1440}, instance_id="sweep:ledger")
    suspended = await hub.start("ledger_sweep", {"every_minutes": 60}, instance_id="sweep:other")
    await hub.suspend(suspended)
    waiting = await pending(hub, "pending")
    await hub.request("POST", "/api/counters/invoices", json={"amount": 5})
    states = [hub.status(one) for one in (running, suspended, waiting)]
    assert states == ["Running", "Suspended", "Pending"]
    return {running, suspended, waiting, "@counter@invoices"}


@pytest.mark.allow_problems("version-mismatch")
async def test_only_instances_that_ended_long_ago_are_purged(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETENTION_DAYS", "1")
    ended = await one_of_each_that_ended(hub)
    going_on = await one_of_each_that_goes_on(hub)
    await hub.advance(1.01 * DAY)
    young = await intakes(hub, 2, "NEW")
    assert ids(hub) == ended | going_on | young

    await purge(hub)

    assert ids(hub) == going_on | young
    assert hub.entity_state("counter", "invoices")["value"] == 5


async def test_the_log_has_a_count_for_each_status(
    hub: ManualHub, caplog: pytest.LogCaptureFixture
) -> None:
    await one_of_each_that_ended(hub)
    await hub.advance(91 * DAY)
    caplog.set_level(logging.INFO, logger="blueprints.retention")

    await purge(hub)

    assert caplog.messages[-1] == (
        "retention: purged 5 instances (3 Completed, 1 Failed, 1 Terminated) "
        "that ended before 2026-01-02T00:00:00Z; 0 changed meanwhile"
    )


async def test_a_dry_run_counts_and_purges_nothing(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ended = await one_of_each_that_ended(hub)
    await hub.advance(91 * DAY)
    monkeypatch.setenv("RETENTION_DRY_RUN", "true")
    caplog.set_level(logging.INFO, logger="blueprints.retention")

    await purge(hub)

    assert ids(hub) == ended
    assert caplog.messages[-1].startswith("retention: would purge 5 instances (3 Completed, 1 F")


@pytest.mark.allow_problems("version-mismatch")
async def test_many_instances_are_purged_in_pages(hub: ManualHub) -> None:
    old = await intakes(hub, 250)
    going_on = {await pending(hub, f"pending-{number}") for number in range(120)}
    await hub.advance(91 * DAY)
    young = await intakes(hub, 120, "NEW")
    assert ids(hub) == old | going_on | young

    await purge(hub)

    assert ids(hub) == going_on | young


@pytest.mark.parametrize(
    ("days", "age", "stays"),
    [
        ("1", DAY, True),
        ("1", DAY + timedelta(seconds=1), False),
        ("30", 30 * DAY, True),
        ("30", 30 * DAY + timedelta(seconds=1), False),
        ("", 90 * DAY, True),
        ("", 90 * DAY + timedelta(seconds=1), False),
    ],
)
async def test_the_number_of_days_is_a_setting(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch, days: str, age: timedelta, stays: bool
) -> None:
    monkeypatch.setenv("RETENTION_DAYS", days)
    [old] = await intakes(hub, 1)
    await hub.advance(age)

    await purge(hub)

    assert (old in ids(hub)) is stays


async def test_the_days_count_from_the_end_and_not_from_the_start(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETENTION_DAYS", "2")
    hub.slow_activity("post_invoice", 2 * DAY)
    [slow] = await intakes(hub, 1)
    await hub.run_until_ended(slow)
    assert hub.clock.now() - hub.instance(slow).created == 2 * DAY

    await hub.advance(1.5 * DAY)
    await purge(hub)
    assert ids(hub) == {slow}

    await hub.advance(DAY)
    await purge(hub)
    assert ids(hub) == set()


async def test_a_run_that_takes_too_long_stops_and_the_next_one_continues(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    old = await intakes(hub, 3)
    await hub.advance(91 * DAY)
    caplog.set_level(logging.INFO, logger="blueprints.retention")

    with monkeypatch.context() as limits:
        limits.setattr(retention, "LONGEST_RUN", timedelta(0))
        await purge(hub)
    assert ids(hub) == old
    assert caplog.messages[-1].endswith("; the next run continues")
    await purge(hub)

    assert ids(hub) == set()


async def test_purged_work_can_be_started_again(hub: ManualHub) -> None:
    invoice = {"vendor": "acme", "number": "1", "order": "PO-1", "amount_cents": 500}
    await hub.request("POST", "/api/invoices", json=invoice)
    assert (await hub.request("POST", "/api/invoices", json=invoice)).status == 200

    await hub.advance(91 * DAY)
    await purge(hub)

    assert (await hub.request("POST", "/api/invoices", json=invoice)).status == 202


@pytest.mark.parametrize(
    ("setting", "value"),
    [("RETENTION_DAYS", "0"), ("RETENTION_DAYS", "a week"), ("RETENTION_DRY_RUN", "perhaps")],
)
async def test_an_invalid_setting_purges_nothing(
    hub: ManualHub, monkeypatch: pytest.MonkeyPatch, setting: str, value: str
) -> None:
    old = await intakes(hub, 1)
    await hub.advance(91 * DAY)
    monkeypatch.setenv(setting, value)

    with pytest.raises(FunctionFailed, match=f"the setting {setting} is '{value}'"):
        await purge(hub)

    assert ids(hub) == old


def test_the_defaults_are_those_of_the_docs() -> None:
    page = (ROOT / "docs" / "deploying.md").read_text("utf-8")

    days = f"| `RETENTION_DAYS` | {retention.DAYS} | "
    assert days in page
    assert f"from 1 to {limits.KEPT_DAYS.most} |" in page


# Between looking and purging


def stale(instance_id: str) -> Instance:
    """What a list said of an instance before it began anew, or was deleted."""
    return Instance(instance_id, "waits", None, "Failed", None, None, None, None, None)


@pytest.fixture
def waiting_app():
    app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.orchestration_trigger(context_name="context")
    def waits(context):
        yield context.wait_for_external_event("Go")

    @app.route(route="purge", methods=["POST"])
    @app.durable_client_input(client_name="client")
    async def purge_stale(req, client):
        gone = await retention.purge_each(client, [stale(name) for name in req.get_json()])
        return func.HttpResponse(",".join(instance.id for instance in gone))

    return app


async def test_an_instance_that_changed_since_it_was_listed_is_not_counted(
    waiting_app: df.DFApp,
) -> None:
    async with ManualHub(waiting_app, settings=Settings()) as hub:
        for name in ("again", "ended"):
            await hub.start("waits", instance_id=name)
        await hub.raise_event("ended", "Go")

        answer = await hub.request("POST", "/api/purge", json=["again", "ended", "deleted"])

        assert answer.text == "ended"
        assert hub.status("again") == "Running"
