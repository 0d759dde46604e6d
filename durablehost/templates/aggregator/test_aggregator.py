EVENT = {"id": "e-1", "vendor": "acme", "amount": 120}


async def total(hub):
    shown = await hub.request("GET", "/api/totals/acme")
    return shown.json()["total"]


async def test_events_add_up(hub):
    await hub.request("POST", "/api/events", json=EVENT)
    await hub.request("POST", "/api/events", json={**EVENT, "id": "e-2"})

    assert await total(hub) == 240


async def test_an_event_that_is_sent_twice_counts_once(hub):
    await hub.request("POST", "/api/events", json=EVENT)
    await hub.request("POST", "/api/events", json=EVENT)

    assert await total(hub) == 120


async def test_an_incomplete_event_is_refused(hub):
    answer = await hub.request("POST", "/api/events", json={"id": "e-1"})

    assert answer.status == 400


async def test_a_vendor_whose_name_would_change_the_url_is_refused(hub):
    answer = await hub.request("POST", "/api/events", json={**EVENT, "vendor": "acme?op=x"})
    shown = await hub.request("GET", "/api/totals/acme%3Fop=x")

    assert (answer.status, shown.status) == (400, 404)
    assert hub.instances() == []
