from datetime import timedelta

REQUEST = {"what": "a laptop"}


async def test_a_decision_ends_the_approval(hub):
    approval = await hub.start("approval", REQUEST)

    path = f"/api/approvals/{approval}/decision"
    answer = await hub.request("POST", path, json={"approved": True})

    assert answer.status == 202
    assert await hub.result(approval) == "approved"


async def test_no_decision_within_three_days_expires(hub):
    approval = await hub.start("approval", REQUEST)

    await hub.advance(timedelta(days=3))

    assert await hub.result(approval) == "expired"


async def test_a_decision_while_the_question_is_on_its_way_counts(hub):
    hub.slow_activity("ask_approver", timedelta(minutes=1))
    approval = await hub.start("approval", REQUEST)

    await hub.raise_event(approval, "Decision", {"approved": False}, as_http=True)

    assert await hub.result(approval) == "rejected"


async def test_a_decision_that_says_nothing_is_refused(hub):
    approval = await hub.start("approval", REQUEST)

    answer = await hub.request("POST", f"/api/approvals/{approval}/decision", json={})

    assert answer.status == 400
