"""Timer functions that fire as time passes, functions fired by hand, URLs and a client."""

from datetime import UTC, datetime, timedelta

import azure.durable_functions as df
import azure.functions as func
import pytest

from durablehost.errors import InstanceExists, InstanceNotFound, WrongState
from durablehost.testing import FunctionFailed, ManualHub, SyncHub

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
seen: list[object] = []


@app.orchestration_trigger(context_name="context")
def sleeps(context):
    yield context.create_timer(context.current_utc_datetime + 2 * HOUR)
    return (yield context.call_activity("work", context.get_input()))


@app.activity_trigger(input_name="given")
def work(given):
    return given


@app.timer_trigger(arg_name="timer", schedule="0 0 6 * * *")
@app.durable_client_input(client_name="client")
async def every_morning(timer, client):
    seen.append(timer.schedule_status and timer.schedule_status["Last"][:16])
    await client.start_new("sleeps", client_input="by the timer")


@app.timer_trigger(arg_name="timer", schedule="00:25:00")
def every_25_minutes(timer):
    seen.append("25 minutes")


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
def fails(timer):
    raise ValueError("a new year")


@app.queue_trigger(arg_name="message", queue_name="orders", connection="Storage")
def takes_message(message: func.QueueMessage):
    body = message.get_body()
    seen.append((body, message.dequeue_count, bool(message.id), message.insertion_time))


@app.blob_trigger(arg_name="blob", path="scans/{vendor}/{file}.txt", connection="Storage")
def takes_blob(blob: func.InputStream):
    seen.append((blob.name, blob.length, blob.read()))


@app.activity_trigger(input_name="given")  # type: ignore[untyped-decorator]  # the SDK's
@app.retry(strategy="fixed_delay", max_retry_count="1", delay_interval="01:00:00")
@app.blob_input(arg_name="card", path="cards/{given}.txt", connection="Storage")
@app.queue_output(arg_name="out", queue_name="mails", connection="Storage")
@app.blob_output(arg_name="copy", path="copies/{given}.txt", connection="Storage")
def answers_mail(given: str, card: str, out: func.Out[str], copy: func.Out[str], context):
    if not context.retry_context.retry_count:
        raise ValueError("the first try fails")
    out.set(f"to {card}")
    copy.set(card)
    return card


@app.orchestration_trigger(context_name="context")
def mails(context):
    return (yield context.call_activity("answers_mail", context.get_input()))


@app.event_grid_trigger(arg_name="event")
def takes_event(event: func.EventGridEvent):
    seen.append(event.subject)


@app.route(route="starts")
@app.durable_client_input(client_name="client")
async def starts(req, client):
    return client.create_check_status_response(req, await client.start_new("sleeps"))


@pytest.fixture
def durable_app() -> df.DFApp:
    seen.clear()
    return app


@pytest.fixture
def hub(durable_app: df.DFApp):
    manual = ManualHub(durable_app, start=START)
    yield manual
    manual.shut()


# Timer functions


async def test_timer_functions_fire_at_their_times_as_time_advances(hub: ManualHub) -> None:
    hub.stop_timers("every_25_minutes")
    await hub.advance(6 * HOUR - timedelta(seconds=1))
    before = list(seen)

    await hub.advance(timedelta(days=1, seconds=1))

    assert before == []
    assert seen == ["0001-01-01T00:00", "2026-03-01T06:00"]
    [first, second] = sorted(instance.created for instance in hub.instances())
    assert (first, second) == (START + 6 * HOUR, START + 30 * HOUR)


async def test_an_interval_goes_on_over_several_advances(hub: ManualHub) -> None:
    for _ in range(12):
        await hub.advance(timedelta(minutes=10))

    assert seen == ["25 minutes"] * 4


async def test_timer_functions_do_not_fire_while_a_test_waits_for_an_instance(
    hub: ManualHub,
) -> None:
    await hub.advance(5 * HOUR)
    seen.clear()
    await hub.result(await hub.start("sleeps"))
    await hub.advance(timedelta(minutes=1))

    assert hub.clock.now() == START + 7 * HOUR + timedelta(minutes=1)
    assert seen == []


async def test_without_timers_nothing_fires(hub: ManualHub) -> None:
    hub.stop_timers()
    await hub.advance(timedelta(days=9))

    assert seen == []


async def test_a_disabled_timer_function_does_not_fire(
    durable_app: df.DFApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AzureWebJobs.every_25_minutes.Disabled", "true")
    async with ManualHub(durable_app, start=START) as hub:
        await hub.advance(HOUR)

    assert seen == []


async def test_a_timer_function_that_raises_fails_the_test(durable_app: df.DFApp) -> None:
    async with ManualHub(durable_app, start=datetime(2026, 12, 31, 23, tzinfo=UTC)) as hub:
        with pytest.raises(FunctionFailed, match="ValueError: a new year"):
            await hub.advance(HOUR)


# Fired by hand


@pytest.mark.parametrize(
    ("value", "body"),
    [
        ("text", b"text"),
        (b"\xff\x00", b"\xff\x00"),
        ({"order": "PO-1"}, b'{"order": "PO-1"}'),
        ([1], b"[1]"),
    ],
)
async def test_a_queue_function_gets_a_message_of_any_plain_value(
    hub: ManualHub, value: object, body: bytes
) -> None:
    await hub.fire("takes_message", value)

    assert seen == [(body, 1, True, START)]


async def test_a_blob_function_gets_the_contents_under_a_name(hub: ManualHub) -> None:
    await hub.fire("takes_blob", "words", name="scans/acme/1.txt")
    await hub.fire("takes_blob", {"a": 1})

    assert seen == [
        ("scans/acme/1.txt", 5, b"words"),
        ("scans/vendor/file.txt", 8, b'{"a": 1}'),
    ]


async def test_a_blob_that_the_trigger_does_not_take_is_refused(hub: ManualHub) -> None:
    with pytest.raises(ValueError, match="takes_blob is for blobs such as 'scans/{vendor}/{file}"):
        await hub.fire("takes_blob", "words", name="scans/acme/1.pdf")


async def test_a_value_of_the_sdk_is_given_as_it_is(hub: ManualHub) -> None:
    await hub.fire("takes_message", func.QueueMessage(id="m", body=b"own"))

    assert seen == [(b"own", None, True, None)]


async def test_a_function_with_another_trigger_gets_what_its_trigger_makes_of_the_value(
    hub: ManualHub,
) -> None:
    event = {"id": "1", "subject": "orders", "data": {}, "eventType": "t", "dataVersion": "1"}
    await hub.fire("takes_event", event | {"topic": "x", "eventTime": "2026-03-01T00:00:00Z"})

    assert seen == ["orders"]


async def test_a_timer_function_is_fired_without_a_value(hub: ManualHub) -> None:
    await hub.fire("every_morning")

    assert [instance.input for instance in hub.instances()] == ["by the timer"]


async def test_a_function_without_a_trigger_cannot_be_fired(hub: ManualHub) -> None:
    with pytest.raises(LookupError, match="no function 'starts' with a timer.* takes_event"):
        await hub.fire("starts")


# As a client does


async def test_requests_take_the_urls_that_the_app_returned(hub: ManualHub) -> None:
    urls = (await hub.request("GET", "/api/starts")).json()
    shown = await hub.request("GET", urls["statusQueryGetUri"])
    await hub.request("POST", urls["terminatePostUri"].replace("{text}", "enough"))

    assert shown.json()["runtimeStatus"] == "Running"
    assert hub.status(urls["id"]) == "Terminated"
    with pytest.raises(ValueError, match="is not a URL of this hub"):
        await hub.request("GET", "http://elsewhere.example/api/starts")


async def test_code_that_takes_a_client_gets_one_of_this_hub(hub: ManualHub) -> None:
    client = await hub.client()
    started = await client.start_new("sleeps", client_input=7)

    assert await hub.result(started) == 7


def test_the_blocking_form_runs_coroutines_that_use_its_client(sync_hub: SyncHub) -> None:
    client = sync_hub.client()
    started = sync_hub.run(client.start_new("sleeps", client_input=7))

    assert sync_hub.result(started) == 7


async def test_instances_are_purged(hub: ManualHub) -> None:
    running = await hub.start("sleeps")
    with pytest.raises(WrongState):
        await hub.purge(running)
    await hub.result(running)
    await hub.purge(running)

    with pytest.raises(InstanceNotFound):
        hub.status(running)
    with pytest.raises(InstanceNotFound):
        await hub.purge(running)


async def test_a_failed_instance_is_rewound(hub: ManualHub) -> None:
    hub.fail_activity("work", ConnectionError("down"))
    failed = await hub.start("sleeps", 7)
    await hub.run_until_ended(failed)
    await hub.rewind(failed, "it is up again")

    assert await hub.result(failed) == 7


async def test_an_instance_is_restarted_with_its_input(hub: ManualHub) -> None:
    first = await hub.start("sleeps", 7)
    with pytest.raises(InstanceExists):
        await hub.restart(first, new_id=False)
    second = await hub.restart(first)

    assert second != first
    assert await hub.result(second) == 7


async def test_bindings_read_and_write_the_queues_and_blobs_of_the_hub(hub: ManualHub) -> None:
    hub.blobs["cards/ada.txt"] = "ada@example.com"

    instance = await hub.start("mails", "ada")

    assert hub.output(instance) == "ada@example.com"
    assert hub.messages == {"mails": ["to ada@example.com"]}
    assert hub.blobs["copies/ada.txt"] == b"ada@example.com"
