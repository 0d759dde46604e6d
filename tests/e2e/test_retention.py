"""A hub with years in it is cleared by the timer function, run now, in a durablehost of its own."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from durablehost.app.functions import FunctionTable
from durablehost.testing import ManualHub
from tests.durablehost_process import running

INVOICE = {"vendor": "acme", "order": "PO-1", "amount_cents": 500, "currency": "EUR"}


@pytest.fixture
async def years(tmp_path: Path, durable_app: FunctionTable) -> Path:
    """A hub in which 150 instances ended 100 days ago, and one goes on."""
    data = tmp_path / "hub.db"
    start = datetime.now(UTC) - timedelta(days=100)
    async with ManualHub(durable_app, start=start, data=data) as hub:
        hub.allow_problems("version-mismatch")  # of the instance that goes on
        hub.replace_activity("match_order", lambda invoice: invoice)
        hub.replace_activity("post_invoice", lambda order: {"id": "p-1", "amount_cents": 1})
        for number in range(150):
            given = INVOICE | {"number": f"OLD-{number}"}
            await hub.start("invoice_intake", given, instance_id=f"intake:acme:OLD-{number}")
        await hub.start("invoice_intake", {}, instance_id="intake:acme:GOES-ON", version="99.0")
    return data


async def test_a_run_of_the_timer_clears_the_hub_and_logs_the_count(
    years: Path, app_folder: Path
) -> None:
    def ids() -> list[str]:
        listed = host.ask("GET", "/api/operations?prefix=intake&top=100").json()["operations"]
        return [operation["instanceId"] for operation in listed]

    with running(app_folder, "--data", years) as host:
        assert len(ids()) == 100
        headers = {"Content-Type": "application/json"}

        answer = host.ask("POST", "/admin/functions/purge_ended_instances", "{}", headers)
        logged = host.output.wait_for(r"retention: (.*) that ended before")

        assert answer.status == 202
        assert logged[1] == "purged 150 instances (150 Completed)"
        assert ids() == ["intake:acme:GOES-ON"]


async def test_a_dry_run_clears_nothing(years: Path, app_folder: Path) -> None:
    environ = {"RETENTION_DRY_RUN": "true", "RETENTION_SCHEDULE": "*/2 * * * * *"}
    with running(app_folder, "--data", years, environ=environ) as host:
        logged = host.output.wait_for(r"retention: (.*) that ended before")

        assert logged[1] == "would purge 150 instances (150 Completed)"
        assert host.ask("GET", "/api/operations/intake:acme:OLD-7").status == 200
