from datetime import timedelta


async def test_the_watch_ends_when_the_transfer_settles(hub):
    answers = iter(["pending", "pending", "settled"])
    hub.replace_activity("look_at", lambda transfer: next(answers))
    before = hub.clock.now()

    watch = await hub.start("watch", {"transfer": "T-2"})

    assert await hub.result(watch) == "settled"
    assert hub.clock.now() - before == timedelta(seconds=10 + 20)


async def test_the_watch_gives_up_after_two_days(hub):
    watch = await hub.start("watch", {"transfer": "T-2"})

    assert await hub.result(watch) == "gave up"


async def test_the_history_does_not_grow(hub):
    watch = await hub.start("watch", {"transfer": "T-2"})

    await hub.advance(timedelta(days=1))

    assert len(hub.history(watch)) < 15
