from datetime import timedelta


async def test_the_timer_starts_one_sweep_that_repeats(hub):
    await hub.fire("keep_sweeping")
    await hub.fire("keep_sweeping")

    await hub.advance(timedelta(minutes=46))

    assert [instance.id for instance in hub.instances()] == ["sweep"]
    assert len(hub.calls("sweep")) == 4


async def test_a_sweep_that_was_stopped_stays_stopped(hub):
    await hub.start("ledger_sweep", instance_id="sweep")

    answer = await hub.request("POST", "/api/sweep/stop")
    await hub.fire("keep_sweeping")

    assert answer.status == 202
    assert await hub.result("sweep") == "stopped"


async def test_nothing_to_stop_is_said(hub):
    answer = await hub.request("POST", "/api/sweep/stop")

    assert answer.status == 404
