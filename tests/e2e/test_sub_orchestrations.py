"""A month is closed for forty vendors and another close is cancelled, over HTTP, in processes."""

from tests.processes import Site


def post(world: Site, vendor: str, month: str, kind: str = "invoice") -> None:
    """Post a document of a month in which no other test posts."""
    number = f"{month}-{vendor}-{kind}"
    document = {"kind": kind, "vendor": vendor, "number": number, "amount_cents": 500}
    answer = world.send("POST", "/postings", document | {"day": f"{month}-05"}, key=number)
    assert answer.ok, answer.text


def children(api: Site, close: str, state: str) -> list[str]:
    answer = api.send("GET", f"/api/operations/{close}/children?top=100&status={state}")
    assert answer.ok, answer.text
    return [child["instanceId"] for child in answer.json()["children"]]


def test_all_vendors_but_one_are_closed_and_a_retry_closes_that_one(api: Site, world: Site) -> None:
    vendors = [f"e2e-{number:03}" for number in range(40)]
    for vendor in vendors:
        post(world, vendor, "2001-02")
    post(world, "e2e-017", "2001-02", kind="payment")

    started = api.send("POST", "/api/month-ends", {"month": "2001-02"})
    close = started.json()["id"]
    output = api.ended(close)["output"]

    assert started.status_code == 202
    assert (output["outcome"], output["closed"], output["failed"]) == ("incomplete", 39, 1)
    [failed] = children(api, close, "Failed")
    assert failed.endswith(":e2e-017")
    postings = world.send("GET", "/postings?vendor=e2e-017&kind=payment").json()["postings"]
    world.send("POST", f"/postings/{postings[0]['id']}/reversal", {}, key="e2e-017-back")
    assert api.send("POST", f"/api/month-ends/{close}/retry").status_code == 202
    output = api.ended(close)["output"]
    assert (output["outcome"], output["closed_before"], output["closed"]) == ("closed", 39, 1)
    closings = world.send("GET", "/postings/closings?month=2001-02").json()["closings"]
    assert sorted(closing["vendor"] for closing in closings) == vendors


def test_a_cancelled_close_leaves_no_child_running(api: Site, world: Site) -> None:
    for number in range(60):
        post(world, f"off-{number:03}", "2001-03")
    world.send("POST", "/faults", {"on": "bank.ledger", "slow_ms": 300})
    try:
        close = api.send("POST", "/api/month-ends", {"month": "2001-03"}).json()["id"]
        api.at_step(close, "closing")
        cancelled = api.send("POST", f"/api/operations/{close}/cancel?reason=too+early")
        operation = api.ended(close)
        # The children are terminated a moment later.
        going = f"/api/operations/{close}/children?status=Pending,Running,Suspended"
        api.read_until(going, {"children": []})
    finally:
        world.send("DELETE", "/faults")

    assert cancelled.status_code == 202
    assert (operation["runtimeStatus"], operation["output"]) == ("Terminated", "too early")
    closings = world.send("GET", "/postings/closings?month=2001-03").json()["closings"]
    assert len(closings) < 60
