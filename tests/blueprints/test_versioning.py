"""Versioning: an instance finishes with the code of the version it was started with."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from blueprints.versioning import GOODS_EVENT, LONGEST_WAIT, NAMED_INSTANCES, RETIRING, is_retiring
from durablehost.app.functions import FunctionTable
from durablehost.hub import history
from durablehost.replaying.recording import read
from durablehost.settings import Settings, settings_for_tests
from durablehost.testing import ManualHub, every_crash, replay
from orchestration.failures import failure_of
from tests.deploying import Place
from tests.faults.judging import completed
from tests.outside import Sandbox
from tests.source import ROOT

INVOICE = {
    "vendor": "acme",
    "number": "INV-1",
    "order": "PO-1001",
    "amount_cents": 12_500,
    "currency": "EUR",
}
OVER_ITS_ORDER = INVOICE | {"amount_cents": 990_000}
ID = "delivery:acme:INV-1"
HERE = f"/api/operations/{ID}"
OLD = Settings(default_version="1.0")
NEW = Settings(default_version="2.0")
HISTORIES = ROOT / "tests" / "histories"
MINUTE = timedelta(minutes=1)


async def ask(hub: ManualHub, **changes: Any) -> int:
    """Send the invoice of a delivery."""
    return (await hub.request("POST", "/api/deliveries", json=INVOICE | changes)).status


async def goods_arrive(hub: ManualHub) -> int:
    return (await hub.request("POST", f"{HERE}/events/{GOODS_EVENT}", json={})).status


async def versions(hub: ManualHub) -> dict[str, Any]:
    """What GET /api/versions says is left, by orchestrator, and `drained`."""
    answer = await hub.request("GET", "/api/versions")
    said = answer.json()
    return {row["name"]: row["left"] for row in said["retiring"]} | {"drained": said["drained"]}


def recorded(name: str) -> list[history.Event]:
    return [*read(HISTORIES / f"{name}.json").events]


# The current version


async def test_an_invoice_is_posted_when_its_goods_have_arrived(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub)
    await hub.advance(timedelta(days=20))
    before = await sandbox.postings()
    step = hub.custom_status(ID)

    await goods_arrive(hub)

    assert (before, step["step"], step["version"]) == ([], "waiting for the goods", "2.0")
    [posting] = await sandbox.postings()
    assert hub.output(ID) == {"id": posting["id"], "amount_cents": 12_500}


async def test_an_invoice_over_its_order_fails_before_the_goods_arrive(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub, amount_cents=990_000)
    await hub.run_until_ended(ID)

    operation = (await hub.request("GET", HERE)).json()
    assert (operation["runtimeStatus"], operation["output"]["code"]) == ("Failed", "over_order")


async def test_goods_that_are_missing_after_thirty_days_fail_the_intake(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub)
    await hub.advance(LONGEST_WAIT - MINUTE)
    before = hub.status(ID)

    await hub.advance(MINUTE)

    operation = (await hub.request("GET", HERE)).json()
    assert (before, operation["output"]["code"]) == ("Running", "goods_missing")
    assert await sandbox.postings() == []


async def test_goods_that_arrive_in_the_last_minute_count(hub: ManualHub, sandbox: Sandbox) -> None:
    await ask(hub)
    await hub.advance(LONGEST_WAIT - MINUTE)

    await goods_arrive(hub)
    await hub.run_until_ended(ID)

    assert hub.status(ID) == "Completed"


async def test_an_event_that_arrives_before_the_orchestrator_waits_for_it_counts(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("orders", fail_next=1)
    await ask(hub)
    step = hub.custom_status(ID)["step"]

    await goods_arrive(hub)
    await hub.run_until_ended(ID)

    assert (step, len(await sandbox.postings())) == ("matching", 1)


async def test_a_repeated_or_late_event_changes_nothing(hub: ManualHub, sandbox: Sandbox) -> None:
    await sandbox.fault("postings", fail_next=1)
    await ask(hub)

    told = [await goods_arrive(hub), await goods_arrive(hub)]
    await hub.run_until_ended(ID)
    late = await goods_arrive(hub)

    assert (told, late) == ([202, 202], 410)
    assert len(await sandbox.postings()) == 1


@pytest.mark.parametrize("party", ["orders", "postings"])
async def test_a_short_outage_delays_the_intake(
    hub: ManualHub, sandbox: Sandbox, party: str
) -> None:
    await sandbox.fault(party, lose_answer_next=3)
    await ask(hub)

    await goods_arrive(hub)
    await hub.run_until_ended(ID)

    assert hub.status(ID) == "Completed"
    assert len(await sandbox.postings()) == 1


@pytest.mark.parametrize("version", ["1.0", "2.0"])
async def test_a_delivery_that_was_reversed_and_deleted_is_posted_when_sent_again(
    hub: ManualHub, sandbox: Sandbox, version: str
) -> None:
    await hub.start("delivery_intake", INVOICE, instance_id=ID, version=version)
    await goods_arrive(hub)
    by_hand = {"Idempotency-Key": "by hand"}
    await sandbox.send("POST", f"/postings/{hub.output(ID)['id']}/reversal", {}, by_hand)
    await hub.request("DELETE", HERE)
    await hub.advance(timedelta(seconds=1))

    await hub.start("delivery_intake", INVOICE, instance_id=ID, version=version)
    await goods_arrive(hub)

    standing = [posting["id"] for posting in await sandbox.postings() if not posting["reversed"]]
    assert standing == [hub.output(ID)["id"]]


async def test_repeating_the_request_is_one_intake_and_another_amount_a_conflict(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    answers = [await ask(hub), await ask(hub), await ask(hub, amount_cents=1)]

    assert answers == [202, 202, 409]
    assert [instance.id for instance in hub.instances("delivery:")] == [ID]


@pytest.mark.parametrize("changes", [{"amount_cents": 0}, {"number": "a/b"}, {"goods": True}])
async def test_an_invalid_body_names_the_field_and_starts_nothing(
    hub: ManualHub, changes: dict[str, Any]
) -> None:
    answer = await hub.request("POST", "/api/deliveries", json=INVOICE | changes)

    assert [error["field"] for error in answer.json()["errors"]] == list(changes)
    assert hub.instances() == []


@pytest.mark.parametrize("settings", [OLD, NEW], ids=["1.0", "2.0"])
async def test_a_crash_between_any_two_steps_posts_once(
    durable_app: FunctionTable, sandbox: Sandbox, settings: Settings
) -> None:
    async def run(hub: ManualHub) -> None:
        await ask(hub)
        await goods_arrive(hub)

    async for hub in every_crash(durable_app, run, settings=settings):
        await hub.run_until_idle()
        await goods_arrive(hub)
        await hub.run_until_ended(ID)

        assert hub.status(ID) == "Completed"
        assert hub.problems(ID) == []
        assert len(await sandbox.postings()) == 1
        await sandbox.reset()


# By version, in one orchestrator


async def test_an_instance_of_1_0_is_posted_without_a_look_at_its_order(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await hub.start("delivery_intake", OVER_ITS_ORDER, instance_id=ID, version="1.0")

    await goods_arrive(hub)

    assert hub.output(ID)["amount_cents"] == 990_000
    assert hub.custom_status(ID)["version"] == "1.0"
    assert hub.calls("match_order") == []


@pytest.mark.parametrize("version", ["", "1.9"])
async def test_an_instance_older_than_2_0_is_not_matched(
    hub: ManualHub, sandbox: Sandbox, version: str
) -> None:
    await hub.start("delivery_intake", INVOICE, version=version)

    assert hub.calls("match_order") == []


async def test_a_retry_starts_again_with_the_current_version(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    unknown = INVOICE | {"currency": "XXX"}
    await hub.start("delivery_intake", unknown, instance_id=ID, version="1.0")
    assert hub.status(ID) == "Failed"

    await hub.request("POST", f"{HERE}/retry")

    assert hub.instance(ID).version == "2.0"


@pytest.mark.parametrize(
    ("name", "status", "schedules"),
    [
        ("delivery_intake/1.0-waiting", "Running", ["activity 'post_invoice'"]),
        ("trusted_delivery/waiting", "Completed", []),
    ],
)
def test_the_current_code_continues_a_recorded_history(
    durable_app: FunctionTable, name: str, status: str, schedules: list[str]
) -> None:
    in_flight = recorded(name)
    arrived = history.event_raised(
        history.read_stamp(in_flight[-1]["Timestamp"]), GOODS_EVENT, '"{}"'
    )

    standing, gone_on = replay(durable_app, in_flight), replay(durable_app, in_flight, arrived)

    assert (standing.status, standing.schedules, standing.problems) == ("Running", [], [])
    assert (gone_on.status, gone_on.schedules, gone_on.problems) == (status, schedules, [])


def test_the_current_code_ends_a_recorded_history_with_the_same_output(
    durable_app: FunctionTable,
) -> None:
    events = recorded("delivery_intake/1.0-posted")
    [ended] = [event for event in events if event["EventType"] == history.EXECUTION_COMPLETED]

    replayed = replay(durable_app, events)

    assert (replayed.status, replayed.problems) == ("Completed", [])
    assert replayed.output == json.loads(ended["Result"])


def test_without_the_branch_a_recorded_history_fails(durable_app: FunctionTable) -> None:
    """The history of 1.0, declared as one of 2.0, does not match what 2.0 does."""
    events = [
        event | {"Version": "2.0"} if event["EventType"] == history.EXECUTION_STARTED else event
        for event in recorded("delivery_intake/1.0-waiting")
    ]

    replayed = replay(durable_app, events)

    assert replayed.status == "Failed"
    assert "the code now has activity 'match_order' (" in replayed.problems[0]


# Side by side, under a new name


async def test_an_instance_of_the_old_orchestrator_finishes_with_its_own_code(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await hub.start("trusted_delivery", OVER_ITS_ORDER, instance_id=ID)
    [posting] = await sandbox.postings()
    waiting = hub.status(ID)

    await goods_arrive(hub)

    assert (waiting, hub.status(ID)) == ("Running", "Completed")
    assert hub.output(ID) == {"id": posting["id"], "amount_cents": 990_000}


async def test_repeating_the_request_finds_an_instance_of_the_old_orchestrator(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await hub.start("trusted_delivery", INVOICE, instance_id=ID)

    assert await ask(hub) == 202
    assert [instance.name for instance in hub.instances()] == ["trusted_delivery"]
    assert len(await sandbox.postings()) == 1


# What is left


async def test_nothing_is_left_when_all_instances_of_old_code_have_ended(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await hub.start("delivery_intake", INVOICE, instance_id=ID, version="1.0")
    await goods_arrive(hub)
    await ask(hub, number="INV-2")

    assert await versions(hub) == {"delivery_intake": 0, "trusted_delivery": 0, "drained": True}


async def test_instances_of_old_code_are_counted_and_named(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await hub.start("trusted_delivery", INVOICE, instance_id=ID)
    await hub.suspend(ID)

    answer = await hub.request("GET", "/api/versions")

    assert answer.json() == {
        "drained": False,
        "retiring": [
            {"name": "delivery_intake", "before": "2.0", "left": 0, "instances": []},
            {"name": "trusted_delivery", "before": None, "left": 1, "instances": [ID]},
        ],
    }


async def test_more_than_a_page_of_instances_is_counted(hub: ManualHub, sandbox: Sandbox) -> None:
    for number in range(105):
        await hub.start("delivery_intake", INVOICE, version="1.0" if number > 1 else "2.0")

    answer = await hub.request("GET", "/api/versions")

    [row, _] = answer.json()["retiring"]
    assert (row["left"], len(row["instances"])) == (103, NAMED_INSTANCES)


async def test_an_instance_without_a_version_counts_as_old(
    durable_app: FunctionTable,
) -> None:
    async with ManualHub(durable_app, settings=replace(NEW, version_match="Strict")) as hub:
        hub.allow_problems("version-mismatch")
        await hub.start("delivery_intake", INVOICE, version="1.0")

        assert await versions(hub) == {
            "delivery_intake": 1,
            "trusted_delivery": 0,
            "drained": False,
        }


@pytest.mark.parametrize(
    ("orchestrator", "version", "retiring"),
    [
        ("delivery_intake", "1.0", True),
        ("delivery_intake", "2.0", False),
        ("delivery_intake", None, True),
        ("trusted_delivery", "9.0", True),
        ("invoice_intake", None, False),
    ],
)
def test_old_code_is_a_whole_orchestrator_or_its_older_versions(
    orchestrator: str, version: str | None, retiring: bool
) -> None:
    assert is_retiring(orchestrator, version) is retiring


def test_old_code_is_still_in_the_app_and_nothing_starts_it(durable_app: FunctionTable) -> None:
    started = settings_for_tests(durable_app.folder).default_version
    assert set(RETIRING) <= set(durable_app.durable_names("orchestration"))
    assert not is_retiring("delivery_intake", started)


# What host.json says


async def test_current_or_older_finishes_1_0_as_1_0_and_starts_2_0(place: Place) -> None:
    async with place.runs("1.0") as hub:
        await ask(hub, **OVER_ITS_ORDER)
    async with place.runs("2.0") as hub:
        await hub.advance(timedelta(days=10))
        left = await versions(hub)
        await goods_arrive(hub)
        await ask(hub, number="INV-2")

        assert (left["delivery_intake"], left["drained"]) == (1, False)
        assert hub.output(ID) == {"id": "posting-1", "amount_cents": 990_000}
        assert hub.custom_status("delivery:acme:INV-2")["version"] == "2.0"
        assert (await versions(hub))["drained"]


async def test_current_or_older_does_not_run_newer_versions(place: Place) -> None:
    """As after a rollback, or while the machines are updated one after the other."""
    async with place.runs("2.0") as hub:
        hub.allow_problems("version-mismatch")
        await ask(hub)
    async with place.runs("1.0") as hub:
        hub.allow_problems("version-mismatch")
        await goods_arrive(hub)
        meanwhile = hub.status(ID)
        said = [problem.kind for problem in hub.problems(ID)]
    async with place.runs("2.0") as hub:
        hub.allow_problems("version-mismatch")
        assert (meanwhile, said) == ("Running", ["version-mismatch"])
        assert hub.status(ID) == "Completed"


async def test_with_strict_instances_of_1_0_stay_pending(place: Place) -> None:
    async with place.runs("1.0") as hub:
        hub.allow_problems("version-mismatch")
        await ask(hub)
    async with place.runs("2.0", version_match="Strict") as hub:
        hub.allow_problems("version-mismatch")
        await goods_arrive(hub)
        await hub.advance(LONGEST_WAIT)
        meanwhile = hub.status(ID)
    async with place.runs("2.0", version_match="CurrentOrOlder") as hub:
        hub.allow_problems("version-mismatch")
        assert (meanwhile, hub.status(ID)) == ("Running", "Completed")


async def test_with_none_every_version_runs(place: Place) -> None:
    async with place.runs("3.0") as hub:
        await ask(hub)
    async with place.runs("1.0", version_match="None") as hub:
        await goods_arrive(hub)

        assert hub.status(ID) == "Completed"


async def test_with_reject_an_instance_stays_pending_until_an_app_runs_its_version(
    place: Place,
) -> None:
    async with place.runs("2.0", version_failure="Reject") as hub:
        hub.allow_problems("version-mismatch")
        await hub.start("delivery_intake", INVOICE, instance_id=ID, version="3.0")
        await hub.advance(timedelta(days=1))
        meanwhile = hub.status(ID)
    async with place.runs("3.0") as hub:
        hub.allow_problems("version-mismatch")
        assert (meanwhile, hub.status(ID)) == ("Pending", "Running")


async def test_with_fail_instances_of_other_versions_fail_even_if_they_are_running(
    place: Place,
) -> None:
    async with place.runs("1.0") as hub:
        await ask(hub)
    async with place.runs("2.0", version_match="Strict", version_failure="Fail") as hub:
        await goods_arrive(hub)

        shown = (await hub.request("GET", HERE)).json()["output"]
        assert hub.output(ID).startswith("VersionMismatch")
        assert shown == failure_of(hub.output(ID)).as_data()


# What holds whatever goes wrong: `make faults` checks it after each faulty run.


async def invariant_a_delivery_is_posted_once_if_its_intake_completes(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    deliveries = [each for each in hub.instances("delivery:") if each.ended]
    posted = [each for each in await sandbox.postings() if not each["reversed"]]
    assert len(completed(hub, "delivery_intake")) <= len(posted) <= len(deliveries)
