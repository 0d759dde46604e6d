"""Queries and alert rules agree with the code that writes the log."""

import json
import re

import pytest

from durablehost.app.functions import FunctionTable
from tests.deployment.test_infra import SNAPSHOTS, of_type
from tests.source import ROOT

QUERIES = {path.stem: path.read_text("utf-8") for path in (ROOT / "docs" / "queries").glob("*.kql")}
OF_LIFECYCLE = [name for name, query in QUERIES.items() if "lifecycle" in query]
ALERTS = ("failed_instances", "failed_business", "poisoned_messages", "dead_monitors")


def test_the_page_names_each_query() -> None:
    page = (ROOT / "docs" / "deploying.md").read_text("utf-8")

    assert (
        set(re.findall(r"^\| \[\w+\]\(queries/(\w+)\.kql\)", page, re.MULTILINE)) == QUERIES.keys()
    )


@pytest.mark.parametrize("name", OF_LIFECYCLE)
def test_a_query_reads_the_lifecycle_of_every_version_of_the_extension(name: str) -> None:
    levels = json.loads((ROOT / "host.json").read_text("utf-8"))["logging"]["logLevel"]

    assert '"Host.Triggers.DurableTask"' in QUERIES[name]
    assert r'@"^Function\..+\.User$"' in QUERIES[name]
    assert {levels["Host.Triggers.DurableTask"], levels["Function"]} == {"Information"}


def test_a_query_names_orchestrators_of_the_app(durable_app: FunctionTable) -> None:
    named = {
        name
        for query in QUERIES.values()
        for names in re.findall(r"name in \(([^)]*)\)", query)
        for name in re.findall(r'"(\w+)"', names)
    }

    assert len(named) == 5
    assert named <= set(durable_app.durable_names("orchestration"))


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
