"""Everything that was started can be stopped, and a cancel that cannot work says so."""

import ast
import json
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import pytest

from blueprints.operations_cancelling import QUIET_LOOKS
from durablehost.app.functions import FunctionTable
from durablehost.testing import Answer, Crashed, ManualHub
from orchestration.cancel_rules import cancel_rule, declared_orchestrators
from orchestration.failures import Failure
from tests.closing import ID as CLOSE
from tests.closing import Ledger
from tests.closing import start as start_close
from tests.outside import Sandbox
from tests.source import blueprint_files

ID: Final = "work-1"
REASON: Final = "no longer needed"
BUSY: Final = Failure("busy", "later", retriable=True)
NEWER: Final = "99.0"  # a version that this deployment does not run
MINUTE: Final = timedelta(minutes=1)
DAY: Final = timedelta(days=1)
RATES: Final = {"date": "2026-01-01", "currencies": ["CHF", "GBP", "USD"]}

INVOICE = {
    "vendor": "acme",
    "number": "INV-1",
    "order": "PO-1001",
    "amount_cents": 12_500,
    "currency": "EUR",
}
BLOB = {"container": "results", "name": "files", "bytes": 1}
SHARE = {"after": "", "through": "zz", "vendors": 1}
TERMS = {
    "needed": 1,
    "asked": {"lead": "lead@example.com"},
    "escalated_to": {},
    "remind_hours": 24,
    "escalate_hours": 48,
    "expire_hours": 72,
}
# An input for each orchestrator of the app.
INPUTS: Final[dict[str, dict[str, Any]]] = {
    "batch_lane": {
        "files": {"names": BLOB, "files": 1, "at_once": 1},
        "parts": "part",
        "counts": {"read": 0, "failed": 0, "totals": {}},
    },
    "currency_rate": {"currency": "USD", "date": "2026-01-01"},
    "delivery_intake": INVOICE,
    "document_intake": {
        "digest": "f" * 64,
        "bytes": 1,
        "settings": {"sure_percent": 90, "review_hours": 72},
    },
    "document_number": {"series": "invoices", "document": "INV-1"},
    "exchange_rates": RATES,
    "invoice_batch": {"name": "november", "prefix": "", "settings": {"at_once": 4}},
    "invoice_intake": INVOICE,
    "invoice_payment": {"vendor": "acme", "number": "INV-1", "amount_cents": 12_500},
    "ledger_sweep": {"every_minutes": 5},
    "month_end_close": {"month": "2026-01", "tolerance_cents": 0, "settings": {"lanes": 1}},
    "month_end_lane": {"month": "2026-01", "tolerance_cents": 0, "share": SHARE},
    "month_end_vendor": {"month": "2026-01", "vendor": "acme", "tolerance_cents": 0},
    "payment_approval": {
        "payment": "PAY-1",
        "vendor": "acme",
        "amount_cents": 1,
        "currency": "EUR",
        "purpose": "",
        "requested_by": "me@example.com",
        "settings": TERMS,
    },
    "poisoned_event": {"text": "{}"},
    "ranking_page": {"page": 0, "top": 1, "after": "", "lines": []},
    "settlement_watch": {"transfer": "transfer-1", "within_hours": 72},
    "tax_check": {"vat_id": "DE1", "day": "2026-01-01", "within_minutes": 60},
    "tree_termination": {"root": "nobody", "created": "", "reason": ""},
    "trusted_delivery": INVOICE,
    "vendor_ranking": {"top": 1},
    "yearly_report": {"year": 2025, "edition": "first"},
}
LISTENING: Final = [each for each in INPUTS if cancel_rule(each).on_cancel == "ends_itself"]
OF_THE_HUB: Final = {"terminate_tree"}


async def cancel(hub: ManualHub, operation: str = ID, *, force: bool = False) -> Answer:
    query = f"reason={REASON}&force=true" if force else f"reason={REASON}"
    return await hub.request("POST", f"/api/operations/{operation}/cancel?{query}")


async def start_and_stop_in_the_middle(
    hub: ManualHub, app: FunctionTable, orchestrator: str
) -> None:
    """Start an instance and let the host stop after its first episode. No activity succeeds."""

    def fail(_: object) -> None:
        raise BUSY

    for activity in set(app.durable_names("activity")) - OF_THE_HUB:
        hub.replace_activity(activity, fail)
    for check in ("check_not_paid_yet", "check_payment_approval"):
        hub.replace_activity(check, lambda order: None)
    hub.crash_after(2)
    with suppress(Crashed):
        await hub.start(orchestrator, INPUTS[orchestrator], instance_id=ID)
    hub.crash()
    assert hub.status(ID) == "Running"


def going(hub: ManualHub, prefix: str = "") -> list[str]:
    return [
        each.id
        for each in hub.instances(prefix)
        if each.status in ("Pending", "Running", "Suspended") and not each.id.startswith("@")
    ]


# What is declared


def test_each_orchestrator_declares_what_a_cancel_does(durable_app: FunctionTable) -> None:
    assert set(durable_app.durable_names("orchestration")) == set(INPUTS)
    assert declared_orchestrators() >= set(INPUTS)


def test_an_orchestrator_declares_that_it_starts_children_if_and_only_if_it_does() -> None:
    starting = {"call_sub_orchestrator", "call_sub_orchestrator_with_retry"}
    calls: dict[str, set[str]] = {}
    for stem, path in blueprint_files().items():
        functions = [
            node
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.FunctionDef)
        ]
        here = {function.name for function in functions}
        for function in functions:
            nodes = list(ast.walk(function))
            names = {node.id for node in nodes if isinstance(node, ast.Name)}
            names |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
            own = function.name if function.name in INPUTS else f"{stem}.{function.name}"
            calls[own] = {
                each if each in starting else f"{stem}.{each}"
                for each in names
                if each in starting or each in here - set(INPUTS)
            }

    def starts(name: str, seen: frozenset[str] = frozenset()) -> bool:
        after = calls.get(name, set()) - seen
        return bool(after & starting) or any(starts(each, seen | after) for each in after)

    assert {each for each in INPUTS if starts(each)} == {
        each for each in INPUTS if cancel_rule(each).starts_children
    }


def test_an_unknown_orchestrator_is_not_terminated_without_force() -> None:
    assert cancel_rule("nobody").on_cancel == "refuse"


@pytest.mark.parametrize("orchestrator", INPUTS)
async def test_a_cancel_does_what_the_orchestrator_declares(
    hub: ManualHub, durable_app: FunctionTable, orchestrator: str
) -> None:
    await start_and_stop_in_the_middle(hub, durable_app, orchestrator)

    answer = await cancel(hub)

    match cancel_rule(orchestrator).on_cancel:
        case "ends_itself":
            await hub.run_until_ended(ID, within=timedelta(hours=1))
            assert (answer.status, answer.json()["cancel"]) == (202, "requested")
            assert hub.status(ID) in ("Completed", "Failed")
            assert REASON in json.dumps(hub.output(ID))
        case "terminate":
            assert (answer.status, answer.json()["cancel"]) == (202, "terminated")
            assert (hub.status(ID), hub.output(ID)) == ("Terminated", REASON)
        case "refuse":
            assert (answer.status, answer.json()["code"]) == (409, "not_cancellable")
            assert "force=true" in answer.json()["detail"]
            assert hub.status(ID) != "Terminated"


@pytest.mark.parametrize("orchestrator", INPUTS)
async def test_force_terminates_every_operation_and_warns_of_what_is_left(
    hub: ManualHub, durable_app: FunctionTable, orchestrator: str
) -> None:
    await start_and_stop_in_the_middle(hub, durable_app, orchestrator)

    answer = await cancel(hub, force=True)

    assert (answer.status, answer.json()["cancel"]) == (202, "terminated")
    assert (hub.status(ID), hub.output(ID)) == ("Terminated", REASON)
    assert answer.json()["warning"] == (cancel_rule(orchestrator).left or None)


# What cannot run


@pytest.mark.parametrize("orchestrator", ["settlement_watch", "document_number", "invoice_intake"])
async def test_an_instance_of_a_version_that_is_not_deployed_can_be_terminated(
    hub: ManualHub, sandbox: Sandbox, orchestrator: str
) -> None:
    await hub.start(orchestrator, INPUTS[orchestrator], instance_id=ID, version=NEWER)
    await hub.advance(DAY)
    before = hub.status(ID)

    answer = await cancel(hub)
    if cancel_rule(orchestrator).on_cancel != "terminate":
        assert (answer.status, answer.json()["code"]) == (409, "not_cancellable")
        answer = await cancel(hub, force=True)

    assert (before, answer.status, hub.status(ID)) == ("Pending", 202, "Terminated")
    deleted = await hub.request("DELETE", f"/api/operations/{ID}")
    assert deleted.status == 204


async def test_an_instance_that_is_cancelled_before_it_begins_cleans_up_when_it_does(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    hub.crash_after(1)
    with suppress(Crashed):
        await hub.start("invoice_payment", INPUTS["invoice_payment"], instance_id=ID)
    hub.crash()
    before = hub.status(ID)

    answer = await cancel(hub)

    await hub.run_until_ended(ID)
    shown = (await hub.request("GET", f"/api/operations/{ID}")).json()
    assert (before, answer.status, answer.json()["cancel"]) == ("Pending", 202, "requested")
    assert shown["output"]["code"] == "cancelled"


async def test_an_instance_that_waits_for_ever_can_be_terminated(
    hub: ManualHub,
) -> None:
    hub.slow_activity("look_at_transfer", 365 * DAY)
    await hub.start("settlement_watch", INPUTS["settlement_watch"], instance_id=ID)
    await cancel(hub)
    await hub.advance(DAY)
    before = hub.status(ID)

    answer = await cancel(hub, force=True)

    assert (before, answer.status, hub.status(ID)) == ("Running", 202, "Terminated")


async def test_a_suspended_operation_is_resumed_so_that_it_can_clean_up(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("bank", fail_next=3)
    await hub.start("invoice_payment", INPUTS["invoice_payment"], instance_id=ID)
    await hub.suspend(ID)

    answer = await cancel(hub)

    await hub.run_until_ended(ID)
    shown = (await hub.request("GET", f"/api/operations/{ID}")).json()
    assert (answer.status, shown["output"]["code"]) == (202, "cancelled")
    assert REASON in shown["output"]["message"]


async def test_force_is_true_or_false(hub: ManualHub) -> None:
    answer = await hub.request("POST", f"/api/operations/{ID}/cancel?force=maybe")

    assert (answer.status, answer.json()["code"]) == (422, "invalid_query")


# Trees


async def test_a_cancel_of_a_parent_also_ends_children_that_start_a_moment_later(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    hub.slow_activity("ask_for_rate", 10 * MINUTE)
    rates = (await hub.request("POST", "/api/rates", json=RATES)).json()["id"]
    assert len(going(hub, f"{rates}:")) == 3

    answer = await cancel(hub, rates)
    # A child that the parent schedules just before its termination starts afterwards.
    late = f"{rates}:CHF-late"
    await hub.start("currency_rate", INPUTS["currency_rate"], instance_id=late)
    await hub.advance(MINUTE)

    assert (answer.status, hub.status(rates)) == (202, "Terminated")
    assert [hub.status(each.id) for each in hub.instances(f"{rates}:")] == ["Terminated"] * 4
    assert going(hub) == []


async def test_a_cancel_ends_a_close_its_lanes_and_its_vendors(hub: ManualHub) -> None:
    ledger = Ledger(6)
    ledger.serve(hub)
    hub.slow_activity("reconcile_vendor_month", 10 * MINUTE)
    await start_close(hub)

    answer = await cancel(hub, CLOSE)
    late = f"{CLOSE}:lane-00:late"
    await hub.start("month_end_vendor", INPUTS["month_end_vendor"], instance_id=late)
    await hub.advance(30 * MINUTE)

    assert answer.json()["warning"] == "vendors that were closed stay closed"
    assert {each.status for each in hub.instances(CLOSE)} == {"Terminated"}
    assert (going(hub), ledger.closed) == ([], [])


async def start_close_again(hub: ManualHub, vendor_takes: timedelta) -> Ledger:
    """Cancel and delete a close, and start it again before its termination has finished."""
    ledger = Ledger(6)
    ledger.serve(hub)
    hub.slow_activity("reconcile_vendor_month", vendor_takes)
    await start_close(hub)
    await cancel(hub, CLOSE)
    await hub.request("DELETE", f"/api/operations/{CLOSE}")
    await hub.advance(timedelta(seconds=2))
    await start_close(hub)
    return ledger


async def test_the_same_work_can_be_started_again_while_its_old_tree_is_terminated(
    hub: ManualHub,
) -> None:
    ledger = await start_close_again(hub, vendor_takes=timedelta(seconds=1))

    await hub.run_until_ended(CLOSE)
    assert hub.output(CLOSE)["outcome"] == "closed"
    assert len(ledger.closed) == 6


async def test_a_second_run_that_is_cancelled_has_a_termination_of_its_own(hub: ManualHub) -> None:
    await start_close_again(hub, vendor_takes=timedelta(minutes=5))

    await cancel(hub, CLOSE)
    await hub.advance(MINUTE)

    assert [each.status for each in hub.instances("termination:")] == ["Completed", "Completed"]
    assert [each.id for each in hub.instances(CLOSE) if each.status == "Running"] == []


async def test_a_tree_is_terminated_until_several_looks_find_nothing(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    rates = "rates:2026-01-01:USD"
    hub.slow_activity("ask_for_rate", 10 * MINUTE)
    await hub.start("exchange_rates", RATES | {"currencies": ["USD"]}, instance_id=rates)

    await cancel(hub, rates)
    await hub.advance(MINUTE)

    [termination] = hub.instances("termination:")
    assert termination.status == "Completed"
    assert len(hub.calls("terminate_tree")) >= QUIET_LOOKS


# What holds whatever goes wrong: `make faults` checks it after each faulty run.


async def invariant_nothing_below_a_terminated_operation_runs_on(hub: ManualHub) -> None:
    terminated = {each.id for each in hub.instances() if each.status == "Terminated"}
    for each in hub.instances():
        assert each.ended or each.parent_id not in terminated
