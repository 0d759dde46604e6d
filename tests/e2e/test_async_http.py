"""A report is waited for and fetched, and another cancelled, over HTTP, by processes."""

from uuid import uuid4

import pytest
from azure.storage.blob import ContainerClient

from tests.processes import Site

pytestmark = pytest.mark.azurite


def test_a_report_that_is_waited_for_is_a_file_behind_a_link(
    azurite_connection: str, api: Site, world: Site
) -> None:
    number = str(uuid4())
    posting = {"kind": "invoice", "vendor": "acme", "number": number, "amount_cents": 500}
    posted = world.send("POST", "/postings", posting, key=number).json()
    order = {"year": int(posted["time"][:4]), "edition": number}

    shown = api.send("POST", "/api/reports?wait=30", order)

    report = shown.json()
    assert (shown.status_code, report["state"], report["percent"]) == (200, "completed", 100)
    result = api.send("GET", report["resultUri"].removeprefix(api.base))
    lines = [line for line in result.text.splitlines() if number in line]
    assert lines == [f"{posted['time']},{posted['id']},invoice,acme,{number},500,false"]


def test_a_cancelled_report_leaves_nothing_behind(
    azurite_connection: str, api: Site, world: Site
) -> None:
    edition = str(uuid4())
    world.send("POST", "/faults", {"on": "postings", "method": "GET", "slow_ms": 300})
    try:
        started = api.send("POST", "/api/reports", {"year": 2026, "edition": edition})
        here = started.json()["id"]
        api.at_step(here, "collecting")
        cancelled = api.send("POST", f"/api/operations/{here}/cancel?reason=too+early")
        operation = api.ended(here)
    finally:
        world.send("DELETE", "/faults")

    assert (started.status_code, cancelled.status_code) == (202, 202)
    assert started.headers["Location"] == f"{api.base}/api/reports/{here}"
    assert operation["output"]["outcome"] == "cancelled"
    assert operation["output"]["reason"] == "too early"
    with ContainerClient.from_connection_string(azurite_connection, "results") as results:
        assert list(results.list_blob_names(name_starts_with=here)) == []
