"""Async HTTP: a report with one month, which collects the next."""

from datetime import timedelta
from typing import Any

from durablehost.testing import ManualHub


async def record_yearly_report(hub: ManualHub) -> None:
    def collect(order: dict[str, Any]) -> dict[str, Any]:
        blob = {"container": "results", "name": order["name"], "bytes": 100}
        return {"blob": blob, "lines": 1, "totals": {"invoice": 12_500}}

    hub.replace_activity("collect_report_month", collect)
    hub.slow_activity("collect_report_month", timedelta(minutes=1))
    order = {"year": 2026, "edition": "final"}
    await hub.start("yearly_report", order, instance_id="report:2026:final")
    await hub.advance(timedelta(seconds=90))

    hub.record("report:2026:final", "collecting")
