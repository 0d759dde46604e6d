"""Children: the tree below an operation of any pattern, with the state of each instance."""

from datetime import timedelta

import pytest

from durablehost.testing import ManualHub
from tests.closing import ID, Ledger, run, start
from tests.filing import Cabinet
from tests.outside import Sandbox

Row = tuple[str, str, str]


async def tree(hub: ManualHub, operation: str = ID, query: str = "") -> list[Row]:
    """The parent, the id and the state of everything below an operation."""
    answer = await hub.request("GET", f"/api/operations/{operation}/children{query}")
    assert answer.status == 200, answer.text
    children = answer.json()["children"]
    return [
        (child["parentInstanceId"], child["instanceId"], child["runtimeStatus"])
        for child in children
    ]


async def test_the_tree_has_every_lane_and_below_it_its_vendors(
    hub: ManualHub,
) -> None:
    ledger = Ledger(3)
    ledger.failing = {"v00000"}
    ledger.serve(hub)
    hub.slow_activity("close_vendor_month", timedelta(minutes=1))

    await start(hub, lanes=2)
    await hub.advance(timedelta(seconds=30))

    first, second = lanes(hub)
    assert await tree(hub) == [
        (ID, first, "Completed"),
        (first, f"{first}:v00000", "Failed"),
        (ID, second, "Running"),
        (second, f"{second}:v00001", "Running"),
    ]
    assert await tree(hub, second) == [(second, f"{second}:v00001", "Running")]


async def test_a_failed_child_shows_its_code_and_message(hub: ManualHub) -> None:
    ledger = Ledger(1)
    ledger.failing = {"v00000"}
    ledger.serve(hub)
    await run(hub)

    answer = await hub.request("GET", f"/api/operations/{ID}/children?status=Failed")

    [child] = answer.json()["children"]
    words = "the bank knows better about v00000"
    assert child["output"] == {"code": "not_reconciled", "message": words}
    assert child["name"] == "month_end_vendor"


async def test_pages_lead_through_the_whole_tree(hub: ManualHub) -> None:
    Ledger(7).serve(hub)
    await run(hub, lanes=3)
    whole = await tree(hub)

    seen, after = [], ""
    while after is not None:
        path = f"/api/operations/{ID}/children?top=4&after={after}"
        page = (await hub.request("GET", path)).json()
        seen += [child["instanceId"] for child in page["children"]]
        after = page["next"]

    assert seen == [instance_id for _, instance_id, _ in whole]
    assert len(seen) == 10


async def test_the_lanes_of_a_batch_are_its_children(hub: ManualHub, cabinet: Cabinet) -> None:
    cabinet.fill(8)
    cabinet.serve(hub)
    batch = {"name": "november", "prefix": "", "settings": {"at_once": 4}}
    await hub.start("invoice_batch", batch, instance_id="batch:november")
    other = batch | {"name": "november-2"}
    await hub.start("invoice_batch", other, instance_id="batch:november-2")

    rows = await tree(hub, "batch:november")

    assert [(parent, state) for parent, _, state in rows] == [("batch:november", "Completed")] * 4
    begin = [instance_id.split("-")[0] for _, instance_id, _ in rows]
    assert begin == ["batch:november:lane"] * 4


async def test_the_rates_of_a_day_are_children(hub: ManualHub, sandbox: Sandbox) -> None:
    body = {"date": "2026-01-01", "currencies": ["USD", "CHF"]}
    rates = (await hub.request("POST", "/api/rates", json=body)).json()["id"]

    rows = await tree(hub, rates)

    assert [parent for parent, _, _ in rows] == [rates, rates]
    begin = [instance_id.removeprefix(f"{rates}:")[:3] for _, instance_id, _ in rows]
    assert begin == ["CHF", "USD"]


def lanes(hub: ManualHub) -> list[str]:
    """The ids of the lanes of a close."""
    return [each.id for each in hub.instances(ID) if each.name == "month_end_lane"]


async def failed_vendor(hub: ManualHub) -> str:
    """The id of a vendor that could not be closed, below a close that has ended."""
    ledger = Ledger(2)
    ledger.failing = {"v00001"}
    ledger.serve(hub)
    await run(hub, lanes=1)
    return f"{lanes(hub)[0]}:v00001"


@pytest.mark.parametrize("action", ["retry", "DELETE"])
async def test_a_child_cannot_be_run_again_or_deleted_on_its_own(
    hub: ManualHub, action: str
) -> None:
    child = await failed_vendor(hub)
    here = f"/api/operations/{child}"

    path = here if action == "DELETE" else f"{here}/{action}"
    answer = await hub.request("DELETE" if action == "DELETE" else "POST", path)

    problem = answer.json()
    assert (answer.status, problem["code"]) == (409, "is_a_child")
    assert problem["parent"].endswith(f"/api/operations/{lanes(hub)[0]}")
    assert hub.status(child) == "Failed"
    assert len(hub.calls("reconcile_vendor_month")) == 4


async def test_a_child_cannot_be_suspended_on_its_own(hub: ManualHub) -> None:
    Ledger(2).serve(hub)
    hub.slow_activity("reconcile_vendor_month", timedelta(seconds=1))
    await start(hub, lanes=1)
    [child] = lanes(hub)

    answer = await hub.request("POST", f"/api/operations/{child}/suspend")

    assert (answer.status, answer.json()["code"]) == (409, "is_a_child")
    assert hub.status(child) == "Running"


async def test_a_child_can_be_deleted_once_its_parent_is_deleted(hub: ManualHub) -> None:
    child = await failed_vendor(hub)
    [lane] = lanes(hub)

    await hub.request("DELETE", f"/api/operations/{ID}")
    deleted = [
        (await hub.request("DELETE", f"/api/operations/{each}")).status for each in (lane, child)
    ]

    assert deleted == [204, 204]
    assert [each.id for each in hub.instances(ID)] == [f"{lane}:v00000"]


async def test_children_are_listed_among_operations_only_on_request(hub: ManualHub) -> None:
    child = await failed_vendor(hub)

    listed = (await hub.request("GET", "/api/operations?status=Failed,Completed")).json()
    with_children = (await hub.request("GET", "/api/operations?status=Failed&children=true")).json()

    assert [each["instanceId"] for each in listed["operations"]] == [ID]
    assert [each["instanceId"] for each in with_children["operations"]] == [child]


async def test_pages_with_only_children_are_skipped(hub: ManualHub) -> None:
    Ledger(6).serve(hub)
    await run(hub, lanes=2)
    await hub.start("settlement_watch", {"transfer": "t", "within_hours": 1}, instance_id="n:1")

    page, after = [], ""
    for _ in range(2):
        answer = await hub.request("GET", f"/api/operations?top=1&after={after}")
        page += [each["instanceId"] for each in answer.json()["operations"]]
        after = answer.json()["next"]

    assert page == [ID, "n:1"]


async def test_an_operation_without_children_has_an_empty_tree(hub: ManualHub) -> None:
    Ledger(0).serve(hub)
    await run(hub)

    answer = await hub.request("GET", f"/api/operations/{ID}/children")

    assert (answer.status, answer.json()) == (200, {"children": [], "next": None})


async def test_the_tree_shows_the_current_run_only(hub: ManualHub) -> None:
    ledger = Ledger(4)
    ledger.failing = {"v00003"}
    ledger.serve(hub)
    await run(hub, lanes=4)
    await hub.advance(timedelta(seconds=1))
    ledger.failing.clear()

    await hub.request("POST", f"/api/month-ends/{ID}/retry")

    rows = await tree(hub)
    assert [instance_id.split(":")[3:] for _, instance_id, _ in rows] == [[], ["v00003"]]


async def test_a_lane_that_continued_as_new_shows_all_its_vendors(hub: ManualHub) -> None:
    Ledger(60).serve(hub)
    hub.slow_activity("reconcile_vendor_month", timedelta(seconds=1))
    await run(hub, lanes=1)

    assert len(await tree(hub, lanes(hub)[0], "?top=100")) == 60


@pytest.mark.parametrize("operation", ["month-end:2026-01", "month-end:2026%2F01", "a@b"])
async def test_the_tree_below_an_unknown_operation_is_unknown(
    hub: ManualHub, operation: str
) -> None:
    answer = await hub.request("GET", f"/api/operations/{operation}/children")

    assert (answer.status, answer.json()["code"]) == (404, "unknown_operation")


@pytest.mark.parametrize("query", ["status=Bogus", "top=101", "prefix=x", "from=2026-01-01"])
async def test_an_invalid_query_is_refused(hub: ManualHub, query: str) -> None:
    Ledger(0).serve(hub)
    await run(hub)

    answer = await hub.request("GET", f"/api/operations/{ID}/children?{query}")

    assert (answer.status, answer.json()["code"]) == (422, "invalid_query")


# What holds whatever goes wrong: `make faults` checks it after each faulty run.


async def invariant_the_tree_names_every_child_and_how_it_ended(hub: ManualHub) -> None:
    parents = [each for each in hub.instances() if each.parent_id is None and each.id[0] != "@"]
    assert parents
    for parent in parents:
        below = [each for each in hub.instances(f"{parent.id}:") if each.parent_id]
        shown = await tree(hub, parent.id, "?top=100")
        assert shown == [(each.parent_id, each.id, str(each.status)) for each in below]
