"""Queries and alert rules agree with the code that writes the log."""

import json
import re

import pytest

from activities.ids import (
    approval_id,
    child_id,
    document_id,
    intake_id,
    month_end_id,
    payment_id,
    settlement_id,
    sweep_id,
)
from tests.deployment.test_infra import SNAPSHOTS, of_type
from tests.source import ROOT

QUERIES = {path.stem: path.read_text("utf-8") for path in (ROOT / "docs" / "queries").glob("*.kql")}
ALERTS = ("failed_instances", "failed_business", "poisoned_messages", "dead_monitors")


def test_the_page_names_each_query() -> None:
    page = (ROOT / "docs" / "deploying.md").read_text("utf-8")

    assert (
        set(re.findall(r"^\| \[\w+\]\(queries/(\w+)\.kql\)", page, re.MULTILINE)) == QUERIES.keys()
    )


@pytest.mark.parametrize("host", ["host.json", "infra/host.scheduler.json"])
def test_the_host_exports_the_lines_that_the_queries_read(host: str) -> None:
    """The host leaves lines of the category `Function…` to the Python worker."""
    levels = json.loads((ROOT / host).read_text("utf-8"))["logging"]["logLevel"]

    assert levels["DurableTask.Core"] == "Information"


WATCHED = {
    "failed_business": [
        payment_id("acme", "INV-1"),
        approval_id("acme", "INV-1"),
        document_id("0123abcd"),
    ],
    "dead_monitors": [settlement_id("transfer-1"), sweep_id()],
}
NOT_WATCHED = [
    intake_id("acme", "INV-1"),
    child_id(document_id("0123abcd"), "intake-1"),
    month_end_id("2026-10"),
]


@pytest.mark.parametrize("name", WATCHED)
def test_a_query_finds_the_instances_that_it_is_about_and_no_others(name: str) -> None:
    [pattern] = re.findall(r'instance matches regex @"([^"]+)"', QUERIES[name])

    found = {
        each for ids in (*WATCHED.values(), NOT_WATCHED) for each in ids if re.search(pattern, each)
    }

    assert found == set(WATCHED[name])


def test_each_alert_runs_a_query_of_the_docs_and_tells_whoever_is_to_be_told() -> None:
    told = {}
    for snapshot in SNAPSHOTS:
        rules = of_type(snapshot, "Microsoft.Insights/scheduledQueryRules")
        queries = {rule["properties"]["criteria"]["allOf"][0]["query"] for rule in rules}
        told[snapshot.name.split(".")[0]] = all(
            rule["properties"]["actions"]["actionGroups"] for rule in rules
        )
        assert queries == {QUERIES[name] for name in ALERTS}

    assert {name for name, is_told in told.items() if is_told} == {"by_pipeline"}
