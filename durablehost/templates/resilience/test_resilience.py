from datetime import timedelta


async def test_a_failure_is_retried_after_growing_pauses(hub):
    hub.fail_activity("fetch_rate", ConnectionError("busy"), on_call=1)
    hub.fail_activity("fetch_rate", ConnectionError("busy"), on_call=2)
    before = hub.clock.now()

    rate = await hub.start("rate", {"currency": "USD"})

    assert await hub.result(rate) == {"rate": 1.08, "source": "bank"}
    assert hub.clock.now() - before == timedelta(seconds=2 + 4)


async def test_the_second_source_answers_where_the_first_fails(hub):
    rate = await hub.start("rate", {"currency": "XAU"})

    assert await hub.result(rate) == {"rate": 1.08, "source": "newspaper"}


async def test_a_source_that_fails_again_and_again_is_not_asked_for_a_while(hub):
    for _ in range(3):
        await hub.result(await hub.start("rate", {"currency": "XAU"}))
    asked = len(hub.calls("fetch_rate"))

    await hub.result(await hub.start("rate", {"currency": "XAU"}))

    assert [call.input["source"] for call in hub.calls("fetch_rate")[asked:]] == ["newspaper"]


async def test_an_attempt_that_takes_too_long_does_not_hold_up_the_answer(hub):
    hub.slow_activity("fetch_rate", timedelta(hours=1))

    rate = await hub.start("rate", {"currency": "USD"})

    assert await hub.result(rate) == {"rate": None, "source": None}
