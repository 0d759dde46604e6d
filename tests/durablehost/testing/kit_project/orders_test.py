"""Each point of the test kit, used once."""

import asyncio
import json
from datetime import timedelta

import pytest

from durablehost.testing import (
    FunctionFailed,
    HttpAnswer,
    InstanceFailed,
    ManualHub,
    NotStubbed,
    Stuck,
    every_crash,
    every_fault,
)

DAY = timedelta(days=1)
ORDER = {"id": "o-1", "approver": "ada@example.com"}
RATES = "https://rates.example/EUR"


@pytest.fixture
def asked(hub):
    """The orders that an approver was asked about."""
    orders: list[object] = []
    hub.replace_activity("ask_approver", orders.append)
    return orders


# Results, time and events


async def test_an_approved_order(hub, asked):
    order = await hub.start("order_approval", ORDER)
    assert (hub.waits_for(order).events, asked) == (("Decided",), [ORDER])

    await hub.raise_event(order, "Decided", True)

    assert await hub.result(order) == "approved"


def test_an_order_that_expires_in_blocking_form(sync_hub):
    sync_hub.replace_activity("ask_approver", lambda order: None)
    began = sync_hub.clock.now()
    order = sync_hub.start("order_approval", ORDER)

    assert sync_hub.result(order) == "expired"
    assert sync_hub.clock.now() - began == 3 * DAY


async def test_a_failed_order_says_where(hub):
    order = await hub.start("order_approval", ORDER, instance_id="o-1")

    with pytest.raises(InstanceFailed, match=r"'ask_approver' failed at function_app.py:\d+"):
        await hub.result(order)
    assert "ConnectionError" in hub.status(order).explain()
    assert repr(hub.instance(order)).startswith("<order_approval 'o-1' Failed: ")


async def test_a_wait_that_does_not_end(hub, asked):
    order = await hub.start("order_approval", ORDER)

    with pytest.raises(Stuck, match="waits for the event 'Decided', the timer of"):
        await hub.result(order, within=DAY)


@pytest.mark.allow_problems("unknown-function")
async def test_a_problem_that_is_expected(hub):
    def misspelled(context):
        yield context.task_any(
            [
                context.call_activity("raed_file", "a"),
                context.create_timer(context.current_utc_datetime + DAY),
            ]
        )

    hub.replace_orchestrator("rate", misspelled)
    await hub.result(await hub.start("rate"))

    assert "Did you mean 'read_file'?" in hub.problems()[0].text


# HTTP


async def test_the_rate_is_found_after_an_outage(hub):
    hub.answer_http("GET", RATES, status=503)
    hub.answer_http("GET", RATES, lambda request: HttpAnswer(json={"rate": 1.25}))

    assert await hub.result(await hub.start("rate")) == 1.25
    assert [call.result.status for call in hub.calls(kind="http")] == [503, 200]


async def test_a_call_without_an_answer(hub):
    with pytest.raises(NotStubbed, match="hub.answer_http"):
        await hub.start("rate")


async def test_a_call_to_a_server_of_the_test(hub):
    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        hub.let_http_through(url)
        assert await hub.result(await hub.start("fetch", url)) == "hi"


async def test_a_call_to_a_route_of_the_app(hub):
    url = "http://localhost:7071/api/hello"
    assert await hub.result(await hub.start("fetch", url)) == "hello"


# Children and entities


async def test_the_month_end_counts_on(hub):
    await hub.set_entity_state("total", "all", 10)

    assert await hub.result(await hub.start("month_end", ["acme", "zeta"])) == 34
    assert await hub.call_entity("total", "all", "get") == 34
    assert [(call.name, call.result) for call in hub.calls("vendor")] == [
        ("vendor", 12),
        ("vendor", 12),
    ]


async def test_the_month_end_with_other_vendors_and_another_total(hub):
    hub.replace_orchestrator("vendor", len)
    hub.replace_entity("total", lambda key, operation, given: f"{operation} {given} to {key}")

    assert await hub.result(await hub.start("month_end", ["acme", "zeta"])) == "add 8 to all"


async def test_a_vendor_that_fails(hub):
    hub.fail_orchestrator("vendor", ValueError("locked"), on_call=2)
    month = await hub.start("month_end", ["acme", "zeta"])

    with pytest.raises(InstanceFailed, match="locked"):
        await hub.result(month)


# Triggers and clients


async def test_the_timer_starts_a_month_end_each_morning(hub):
    await hub.advance(2 * DAY)

    months = [instance for instance in hub.instances() if instance.name == "month_end"]
    assert sorted(month.output for month in months) == [12, 24]


async def test_a_timer_that_is_stopped(hub):
    hub.stop_timers("every_morning")
    await hub.advance(DAY)

    assert hub.instances() == []


@pytest.mark.parametrize("message", [ORDER, json.dumps(ORDER), json.dumps(ORDER).encode()])
async def test_an_order_from_the_queue(hub, asked, message):
    await hub.fire("take_order", message)

    assert (hub.status("o-1"), asked) == ("Running", [ORDER])
    with pytest.raises(FunctionFailed):
        await hub.fire("take_order", "no JSON")


async def test_an_order_by_http_is_terminated_restarted_and_purged(hub, asked):
    urls = (await hub.request("POST", "/api/orders", json=ORDER)).json()
    shown = (await hub.request("GET", urls["statusQueryGetUri"])).json()
    await hub.terminate(urls["id"], "mistyped")
    again = await hub.restart(urls["id"])
    await hub.purge(urls["id"])

    assert shown["runtimeStatus"] == "Running"
    assert [instance.id for instance in hub.instances()] == [again]


async def test_a_failed_order_is_rewound(hub, asked):
    hub.fail_activity("ask_approver", ConnectionError("down"))
    order = await hub.start("order_approval", ORDER)
    await hub.rewind(order)

    assert await hub.result(order) == "expired"


async def test_code_that_takes_a_client(hub, asked):
    client = await hub.client()
    await client.start_new("order_approval", "o-2", ORDER)
    await hub.run_until_idle()

    assert hub.status("o-2") == "Running"


# Crashes, faults and races


async def expire(hub):
    hub.replace_activity("ask_approver", lambda order: None)
    order = await hub.start("order_approval", ORDER, instance_id="o-1")
    await hub.run_until_ended(order)


async def test_an_order_survives_every_crash(durable_app):
    async for hub in every_crash(durable_app, expire):
        assert await hub.result("o-1") == "expired"


async def test_an_order_under_every_fault(durable_app):
    ended = {}
    async for hub, fault in every_fault(durable_app, expire):
        ended[str(fault)] = str(hub.status("o-1"))

    assert ended == {
        "ask_approver fails once, at its call 1": "Failed",
        "ask_approver always fails, at its call 1": "Failed",
        "ask_approver runs twice, at its call 1": "Completed",
    }


async def test_a_race_is_found(durable_app):
    results = set()
    for seed in range(20):
        async with ManualHub(durable_app, seed=seed) as hub:
            results.add(await hub.result(await hub.start("quickest")))

    assert results == {1, None}
