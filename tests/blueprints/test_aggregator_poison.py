"""Messages that fail: a fault that passes loses no event, and one that stays is reported."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import azure.functions as func
import pytest
import pytest_asyncio
from azure.storage.queue.aio import QueueClient

from activities.messages import PAYABLES
from blueprints import aggregator_directory
from durablehost.app.functions import Function, FunctionTable
from durablehost.errors import FunctionFailed
from durablehost.hub.clock import SystemClock
from durablehost.testing import ManualHub
from durablehost.triggers import TriggerOptions, Triggers
from tests.aggregating import QUEUE_FUNCTION, an_event, counted, enqueue
from tests.durablehost.triggers.triggering import KeptInMemory, impatient
from tests.outside import Sandbox
from tests.source import ROOT

POISON_FUNCTION = "start_poisoned_event"
WORK_TIME = timedelta(minutes=5)


def a_message(content: object, number: int = 1) -> func.QueueMessage:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return func.QueueMessage(id=f"message-{number}", body=body)


async def poison(hub: ManualHub, content: object, number: int = 1) -> None:
    """Give a message to the function at the poison queue, and let time pass for its retries."""
    await hub.fire(POISON_FUNCTION, a_message(content, number))
    await hub.advance(WORK_TIME)


async def failed(hub: ManualHub) -> list[Any]:
    """The poisoned events that are listed as the page says."""
    path = "/api/operations?status=Failed&prefix=poison:"
    found: list[Any] = (await hub.request("GET", path)).json()["operations"]
    return found


# In memory


@pytest.mark.parametrize(
    ("junk", "code"),
    [
        (b"no json", "no_json"),
        (b"\xff\xfe", "no_json"),
        ({"event": "e-1", "id": "../x"}, "invalid_message"),
    ],
)
async def test_a_poisoned_message_is_listed_with_its_reason_and_somebody_is_informed(
    hub: ManualHub, sandbox: Sandbox, junk: Any, code: str
) -> None:
    await poison(hub, junk)

    [listed] = await failed(hub)
    [mail] = await sandbox.mails(PAYABLES)
    assert (listed["output"]["code"], listed["name"]) == (code, "poisoned_event")
    assert mail["subject"] == "vendor events could not be recorded"
    assert "GET /api/operations?status=Failed&prefix=poison:" in mail["text"]


async def test_a_message_that_was_poisoned_by_a_fault_that_has_passed_is_recorded_at_once(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    hub.fail_activity("record_event_text", RuntimeError("the worker was restarted"))

    await poison(hub, an_event("e-1"))

    assert (await counted(hub), await failed(hub)) == ((1, 100), [])
    assert await sandbox.mails(PAYABLES) == []


async def test_many_poisoned_messages_make_one_mail_an_hour(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    for number in range(5):
        await poison(hub, b"junk", number)
    await hub.advance(timedelta(hours=1))
    await poison(hub, b"junk", 6)

    assert (len(await failed(hub)), len(await sandbox.mails(PAYABLES))) == (6, 2)


async def test_a_poisoned_message_that_is_delivered_twice_is_one_instance(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await poison(hub, an_event("e-1"))
    await poison(hub, an_event("e-1"))

    assert len(hub.instances("poison:")) == 1
    assert await counted(hub) == (1, 100)


async def test_a_poisoned_event_fails_though_nobody_can_be_informed(
    hub: ManualHub, sandbox: Sandbox
) -> None:
    await sandbox.fault("mail", fail_next=100)

    await poison(hub, b"junk")

    assert [each["output"]["code"] for each in await failed(hub)] == ["no_json"]


async def test_a_poisoned_event_is_recorded_by_a_retry_once_the_cause_is_removed(
    hub: ManualHub, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aggregator_directory, "MOST_VENDORS", 0)
    with pytest.raises(FunctionFailed, match="the directory is full"):
        await enqueue(hub, an_event("e-1"))
    await poison(hub, an_event("e-1"))
    [listed] = await failed(hub)
    assert listed["output"]["code"] == "directory_full"

    monkeypatch.setattr(aggregator_directory, "MOST_VENDORS", 1)
    answer = await hub.request("POST", f"/api/operations/{listed['instanceId']}/retry")

    assert (answer.status, hub.status(listed["instanceId"])) == (202, "Completed")
    assert await counted(hub) == (1, 100)


# What the platform is given


def test_a_message_is_tried_for_some_minutes_before_it_is_poison() -> None:
    host_json = json.loads((ROOT / "host.json").read_text("utf-8"))

    queues = TriggerOptions.from_host_json(host_json).queues

    assert queues.visibility_timeout * (queues.max_dequeue_count - 1) >= timedelta(minutes=4)


def test_the_functions_listen_to_the_queue_of_the_setting_and_to_its_poison_queue(
    durable_app: FunctionTable,
) -> None:
    bound = {
        each.name: (each.trigger["queueName"], each.trigger["connection"])
        for each in durable_app.functions
        if each.kind == "queue"
    }

    assert bound == {
        QUEUE_FUNCTION: ("%VENDOR_EVENTS_QUEUE%", "AzureWebJobsStorage"),
        POISON_FUNCTION: ("%VENDOR_EVENTS_QUEUE%-poison", "AzureWebJobsStorage"),
    }


# With Azurite


class Listening:
    """The queue functions of the app at work on a queue of their own in Azurite."""

    def __init__(self, hub: ManualHub, queue: QueueClient) -> None:
        self.hub, self.queue = hub, queue
        self.failing = 0  # invocations that are to fail, whatever the function would do
        self.tries: list[int] = []
        self._done = asyncio.Event()

    async def invoke(self, function: Function, message: Any) -> None:
        """Run a function, or fail as it does where the worker is restarted."""
        if function.name == QUEUE_FUNCTION:
            self.tries.append(message.dequeue_count)
        if self.failing:
            self.failing -= 1
            raise FunctionFailed("RuntimeError", "the worker was restarted", "")
        await self.hub.fire(function.name, message)
        self._done.set()

    async def send(self, content: object) -> None:
        """Send a message, and wait until a function has done its work on it."""
        self._done.clear()
        await self.queue.send_message(base64.b64encode(json.dumps(content).encode()).decode())
        async with asyncio.timeout(60):
            await self._done.wait()


@pytest_asyncio.fixture
async def listening(
    hub: ManualHub, sandbox: Sandbox, durable_app: FunctionTable, azurite_connection: str
) -> AsyncIterator[Listening]:
    queue = QueueClient.from_connection_string(azurite_connection, f"events-{uuid4()}")
    async with queue, _triggers(hub, durable_app, queue, azurite_connection) as listening:
        yield listening


@asynccontextmanager
async def _triggers(
    hub: ManualHub, app: FunctionTable, queue: QueueClient, connection: str
) -> AsyncIterator[Listening]:
    listening = Listening(hub, queue)
    await queue.create_queue()
    others = {each.name.lower() for each in app.functions if each.kind != "queue"}
    triggers = Triggers(
        app.with_disabled(others),
        listening.invoke,
        SystemClock(),
        {"AzureWebJobsStorage": connection, "VENDOR_EVENTS_QUEUE": queue.queue_name},
        KeptInMemory(),
        options=impatient(visibilityTimeout="00:00:00", maxDequeueCount=10),
    )
    triggers.start()
    try:
        yield listening
    finally:
        await triggers.stop()


@pytest.mark.azurite
async def test_a_message_whose_function_fails_for_a_while_is_counted_once(
    listening: Listening,
) -> None:
    listening.failing = 9
    await listening.send(an_event("e-1"))
    await listening.send(an_event("e-2"))

    assert listening.tries == [*range(1, 11), 1]
    assert await counted(listening.hub) == (2, 200)
    assert listening.hub.instances("poison:") == []


@pytest.mark.azurite
async def test_a_message_that_fails_becomes_a_poisoned_message_is_reported_and_can_be_retried(
    listening: Listening, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = listening.hub
    await listening.send(an_event("e-1"))
    monkeypatch.setattr(aggregator_directory, "MOST_VENDORS", 0)
    await listening.send(an_event("e-2", "globex"))
    await hub.advance(WORK_TIME)

    [listed] = await failed(hub)
    assert listening.tries == [1, *range(1, 11)]
    assert (listed["output"]["code"], len(await sandbox.mails(PAYABLES))) == ("directory_full", 1)

    monkeypatch.undo()
    await hub.request("POST", f"/api/operations/{listed['instanceId']}/retry")

    assert (await counted(hub), await counted(hub, "globex")) == ((1, 100), (1, 100))


# What holds whatever goes wrong: `make faults` checks it after each faulty run.


async def invariant_a_poisoned_event_is_counted_or_listed_with_its_reason(hub: ManualHub) -> None:
    poisoned = hub.instances("poison:")
    assert poisoned
    for each in poisoned:
        if each.status == "Completed":
            event = json.loads(each.input["text"])
            assert (await counted(hub, event["vendor"]))[0] == 1
    listed = {each["instanceId"]: each["output"]["code"] for each in await failed(hub)}
    assert listed.keys() == {each.id for each in poisoned if each.status == "Failed"}
    assert all(listed.values())
