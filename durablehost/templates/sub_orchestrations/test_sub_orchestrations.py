CLOSING = {"month": "2026-01", "vendors": ["acme", "bolt"]}


async def test_the_totals_of_all_children_are_added(hub):
    closing = await hub.start("closing", CLOSING)

    assert await hub.result(closing) == {"month": "2026-01", "total": 800}


async def test_a_child_that_fails_is_run_again(hub):
    hub.fail_activity("close_books", ConnectionError("the books are locked"), on_call=1)

    closing = await hub.start("closing", CLOSING)

    assert (await hub.result(closing))["total"] == 800
    assert len(hub.calls("close_books")) == 3


async def test_a_month_without_vendors_completes(hub):
    closing = await hub.start("closing", {**CLOSING, "vendors": []})

    assert await hub.result(closing) == {"month": "2026-01", "total": 0}
