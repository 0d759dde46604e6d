"""Versioning: a delivery that is waited for ends on the code that it was started with."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from blueprints.versioning import GOODS_EVENT, LEAVING, LONGEST_WAIT, NAMED_INSTANCES, is_leaving
from durablehost.app.functions import FunctionTable
from durablehost.hub import history
from durablehost.settings import Settings, settings_for_tests
from durablehost.testing import ManualHub, every_crash, replay
from orchestration.failures import failure_of
from tests.deploying import Place
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
    return {row["name"]: row["left"] for row in said["leaving"]} | {"drained": said["drained"]}


def recorded(name: str) -> list[history.Event]:
    events: list[history.Event] = json.loads((HISTORIES / f"{name}.json").read_text("utf-8"))
    return events


# As it is done now


async def test_an_invoice_is_posted_once_its_goods_are_there(
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


async def test_an_invoice_over_its_order_is_refused_before_its_goods_are_waited_for(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub, amount_cents=990_000)

    operation = (await hub.request("GET", HERE)).json()
    assert (operation["runtimeStatus"], operation["output"]["code"]) == ("Failed", "over_order")


async def test_goods_that_do_not_come_in_thirty_days_end_it_with_a_code(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub)
    await hub.advance(LONGEST_WAIT - MINUTE)
    before = hub.status(ID)

    await hub.advance(MINUTE)

    operation = (await hub.request("GET", HERE)).json()
    assert (before, operation["output"]["code"]) == ("Running", "goods_missing")
    assert await sandbox.postings() == []


async def test_goods_that_come_in_the_last_minute_are_in_time(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await ask(hub)
    await hub.advance(LONGEST_WAIT - MINUTE)

    await goods_arrive(hub)
    await hub.run_until_ended(ID)

    assert hub.status(ID) == "Completed"


async def test_goods_that_come_before_they_are_waited_for_are_not_forgotten(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("orders", fail_next=1)
    await ask(hub)
    step = hub.custom_status(ID)["step"]

    await goods_arrive(hub)
    await hub.run_until_ended(ID)

    assert (step, len(await sandbox.postings())) == ("matching", 1)


async def test_goods_that_come_twice_or_late_change_nothing(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("postings", fail_next=1)
    await ask(hub)

    told = [await goods_arrive(hub), await goods_arrive(hub)]
    await hub.run_until_ended(ID)
    late = await goods_arrive(hub)

    assert (told, late) == ([202, 202], 410)
    assert len(await sandbox.postings()) == 1


@pytest.mark.parametrize("party", ["orders", "postings"])
async def test_hiccups_outside_are_survived(hub: ManualHub, sandbox: Sandbox, party: str) -> None:
    await sandbox.fault(party, lose_answer_next=3)
    await ask(hub)

    await goods_arrive(hub)
    await hub.run_until_ended(ID)

    assert hub.status(ID) == "Completed"
    assert len(await sandbox.postings()) == 1


@pytest.mark.parametrize("version", ["1.0", "2.0"])
async def test_a_delivery_that_was_reversed_and_deleted_is_posted_when_it_comes_again(
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


async def test_asking_twice_is_one_intake_and_another_amount_a_conflict(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    answers = [await ask(hub), await ask(hub), await ask(hub, amount_cents=1)]

    assert answers == [202, 202, 409]
    assert [instance.id for instance in hub.instances("delivery:")] == [ID]


@pytest.mark.parametrize("changes", [{"amount_cents": 0}, {"number": "a/b"}, {"goods": True}])
async def test_a_body_that_is_not_right_names_the_field_and_starts_nothing(
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


async def test_an_instance_of_1_0_is_posted_whatever_its_order_says(
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


async def test_a_retry_begins_anew_and_so_as_it_is_done_now(
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
def test_todays_code_goes_on_where_a_recorded_history_stands(
    durable_app: FunctionTable, name: str, status: str, schedules: list[str]
) -> None:
    in_flight = recorded(name)
    arrived = history.event_raised(
        history.read_stamp(in_flight[-1]["Timestamp"]), GOODS_EVENT, '"{}"'
    )

    standing, gone_on = replay(durable_app, in_flight), replay(durable_app, in_flight, arrived)

    assert (standing.status, standing.schedules, standing.problems) == ("Running", [], [])
    assert (gone_on.status, gone_on.schedules, gone_on.problems) == (status, schedules, [])


def test_todays_code_ends_a_recorded_history_as_it_ended(durable_app: FunctionTable) -> None:
    events = recorded("delivery_intake/1.0-posted")
    [ended] = [event for event in events if event["EventType"] == history.EXECUTION_COMPLETED]

    replayed = replay(durable_app, events)

    assert (replayed.status, replayed.problems) == ("Completed", [])
    assert replayed.output == json.loads(ended["Result"])


def test_without_the_branch_a_recorded_history_would_not_fit(durable_app: FunctionTable) -> None:
    """What 2.0 does is another history: that of 1.0, said to be of 2.0, fails."""
    events = [
        event | {"Version": "2.0"} if event["EventType"] == history.EXECUTION_STARTED else event
        for event in recorded("delivery_intake/1.0-waiting")
    ]

    replayed = replay(durable_app, events)

    assert replayed.status == "Failed"
    assert "the code now has activity 'match_order' there" in replayed.problems[0]


# Side by side, under a new name


async def test_an_instance_of_the_old_name_ends_as_it_began(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await hub.start("trusted_delivery", OVER_ITS_ORDER, instance_id=ID)
    [posting] = await sandbox.postings()
    waiting = hub.status(ID)

    await goods_arrive(hub)

    assert (waiting, hub.status(ID)) == ("Running", "Completed")
    assert hub.output(ID) == {"id": posting["id"], "amount_cents": 990_000}


async def test_asking_again_finds_the_instance_under_its_old_name(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await hub.start("trusted_delivery", INVOICE, instance_id=ID)

    assert await ask(hub) == 202
    assert [instance.name for instance in hub.instances()] == ["trusted_delivery"]
    assert len(await sandbox.postings()) == 1


# What is left


async def test_nothing_is_left_where_only_the_new_runs_and_the_old_has_ended(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await hub.start("delivery_intake", INVOICE, instance_id=ID, version="1.0")
    await goods_arrive(hub)
    await ask(hub, number="INV-2")

    assert await versions(hub) == {"delivery_intake": 0, "trusted_delivery": 0, "drained": True}


async def test_what_is_left_is_counted_and_named(hub: ManualHub, sandbox: Sandbox) -> None:
    await hub.start("trusted_delivery", INVOICE, instance_id=ID)
    await hub.suspend(ID)

    answer = await hub.request("GET", "/api/versions")

    assert answer.json() == {
        "drained": False,
        "leaving": [
            {"name": "delivery_intake", "before": "2.0", "left": 0, "instances": []},
            {"name": "trusted_delivery", "before": None, "left": 1, "instances": [ID]},
        ],
    }


async def test_more_than_a_page_is_counted_and_some_of_it_named(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    for number in range(105):
        await hub.start("delivery_intake", INVOICE, version="1.0" if number > 1 else "2.0")

    answer = await hub.request("GET", "/api/versions")

    [row, _] = answer.json()["leaving"]
    assert (row["left"], len(row["instances"])) == (103, NAMED_INSTANCES)


async def test_what_has_not_said_its_version_yet_is_counted_as_old(
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
    ("orchestrator", "version", "leaving"),
    [
        ("delivery_intake", "1.0", True),
        ("delivery_intake", "2.0", False),
        ("delivery_intake", None, True),
        ("trusted_delivery", "9.0", True),
        ("invoice_intake", None, False),
    ],
)
def test_what_is_leaving_is_a_name_or_what_is_older_than_a_version(
    orchestrator: str, version: str | None, leaving: bool
) -> None:
    assert is_leaving(orchestrator, version) is leaving


def test_what_is_leaving_is_there_and_not_what_is_started(durable_app: FunctionTable) -> None:
    started = settings_for_tests(durable_app.folder).default_version
    assert set(LEAVING) <= set(durable_app.durable_names("orchestration"))
    assert not is_leaving("delivery_intake", started)


# What host.json says


async def test_current_or_older_ends_as_1_0_what_1_0_began_and_starts_2_0(place: Place) -> None:
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


async def test_current_or_older_leaves_what_is_newer_to_an_app_that_knows_it(place: Place) -> None:
    """As where a deployment is taken back, or while the machines get it one after the other."""
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


async def test_strict_leaves_waiting_what_1_0_began(place: Place) -> None:
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


async def test_none_runs_whatever_there_is_also_what_is_newer(place: Place) -> None:
    async with place.runs("3.0") as hub:
        await ask(hub)
    async with place.runs("1.0", version_match="None") as hub:
        await goods_arrive(hub)

        assert hub.status(ID) == "Completed"


async def test_reject_lets_it_wait_until_an_app_comes_that_takes_it(place: Place) -> None:
    async with place.runs("2.0", version_failure="Reject") as hub:
        hub.allow_problems("version-mismatch")
        await hub.start("delivery_intake", INVOICE, instance_id=ID, version="3.0")
        await hub.advance(timedelta(days=1))
        meanwhile = hub.status(ID)
    async with place.runs("3.0") as hub:
        hub.allow_problems("version-mismatch")
        assert (meanwhile, hub.status(ID)) == ("Pending", "Running")


async def test_fail_ends_what_does_not_match_also_what_was_in_flight(place: Place) -> None:
    async with place.runs("1.0") as hub:
        await ask(hub)
    async with place.runs("2.0", version_match="Strict", version_failure="Fail") as hub:
        await goods_arrive(hub)

        shown = (await hub.request("GET", HERE)).json()["output"]
        assert hub.output(ID).startswith("VersionMismatch")
        assert shown == failure_of(hub.output(ID)).as_data()
