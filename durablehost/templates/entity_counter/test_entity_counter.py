async def test_a_counter_adds_up(hub):
    await hub.request("POST", "/api/counters/sales", json={"add": 2})
    await hub.request("POST", "/api/counters/sales", json={"add": 3})

    shown = await hub.request("GET", "/api/counters/sales")

    assert shown.json() == {"value": 5}


async def test_an_unknown_counter_is_not_found(hub):
    shown = await hub.request("GET", "/api/counters/sales")

    assert shown.status == 404


async def test_a_removed_counter_is_not_found(hub):
    await hub.request("POST", "/api/counters/sales", json={"add": 2})

    await hub.request("DELETE", "/api/counters/sales")

    assert (await hub.request("GET", "/api/counters/sales")).status == 404
