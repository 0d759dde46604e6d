from datetime import timedelta


async def test_the_location_leads_to_the_result(hub):
    started = await hub.request("POST", "/api/reports", json={"year": 2026})
    shown = await hub.request("GET", started.headers["Location"])

    assert started.status == 202
    assert shown.status == 200
    assert shown.json()["result"] == {"year": 2026, "total": 7800}


async def test_the_location_contains_no_key(hub):
    started = await hub.request("POST", "/api/reports?code=KEY", json={"year": 2026})
    shown = await hub.request("GET", started.headers["Location"])

    assert "KEY" not in started.headers["Location"]
    assert shown.status == 200


async def test_a_running_report_shows_its_progress(hub):
    hub.slow_activity("sum_month", timedelta(minutes=5))
    started = await hub.request("POST", "/api/reports", json={"year": 2026})
    await hub.advance(timedelta(minutes=11))

    shown = await hub.request("GET", started.headers["Location"])

    assert shown.status == 202
    assert shown.json()["progress"] == {"done": 2, "of": 12}


async def test_a_report_can_be_cancelled(hub):
    hub.slow_activity("sum_month", timedelta(minutes=5))
    started = await hub.request("POST", "/api/reports", json={"year": 2026})

    await hub.request("DELETE", started.headers["Location"])

    shown = await hub.request("GET", started.headers["Location"])
    assert shown.json()["state"] == "Terminated"
