"""A queue function is given each message, five times at most, and poison is put by."""

import asyncio
import base64
import json
import logging
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError
from azure.storage.queue.aio import QueueClient
from yarl import URL

from durablehost.app.loading import index_app
from durablehost.triggers.queues import Lease
from tests.durablehost.triggers.triggering import Seen, function_of, impatient, said, triggers_of

pytestmark = pytest.mark.azurite


class Queue:
    """A queue of its own for each test, and what is on it and on its poison queue."""

    def __init__(self, connection: str) -> None:
        self.name = f"q{uuid.uuid4().hex[:20]}"
        self.environ = {"AzureWebJobsStorage": connection}
        self.client = QueueClient.from_connection_string(connection, self.name)
        self.poison = QueueClient.from_connection_string(connection, f"{self.name}-poison")

    async def send(self, *texts: str) -> None:
        for text in texts:
            await self.client.send_message(encoded(text))

    async def length(self) -> int:
        """With what is hidden."""
        return (await self.client.get_queue_properties()).approximate_message_count or 0

    async def put_by(self) -> list[str]:
        return [str(message.content) for message in await self.poison.peek_messages(32)]


class Gate:
    """A way to Azurite's queues that nobody answers at until it is opened."""

    def __init__(self, connection: str) -> None:
        self.is_open = False
        settings = dict(part.split("=", 1) for part in connection.split(";"))
        self._connection = connection
        self._there = URL(settings["QueueEndpoint"])

    async def __aenter__(self) -> "Gate":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = str(self._there.with_port(self._server.sockets[0].getsockname()[1]))
        self.connection = self._connection.replace(str(self._there), self.address)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_open:
            there = await asyncio.open_connection(self._there.host, self._there.port)
            await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))
        writer.close()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
    sink.close()


class Noting(logging.Handler):
    """Notes what durablehost logs the moment it does."""

    def __init__(self, lines: Seen) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.note(record.getMessage())


@contextmanager
def noting(lines: Seen) -> Iterator[None]:
    handler = Noting(lines)
    logger = logging.getLogger("durablehost")
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@pytest_asyncio.fixture
async def queue(azurite_connection: str) -> AsyncIterator[Queue]:
    queue = Queue(azurite_connection)
    async with queue.client, queue.poison:
        await queue.client.create_queue()
        yield queue


def app_of(queue: Queue, seen: Seen, fails: int = 0, **trigger: Any) -> df.DFApp:
    """An app that notes its messages, and fails at the first so many tries."""
    app = df.DFApp()

    @app.queue_trigger(arg_name="msg", queue_name=queue.name, connection="Storage", **trigger)
    async def on_message(msg: func.QueueMessage) -> None:
        seen.note(msg)
        if (msg.dequeue_count or 0) <= fails:
            raise ValueError("not today")

    return app


async def test_a_message_arrives_with_all_that_the_queue_knows_of_it_and_is_then_gone(
    queue: Queue,
) -> None:
    seen = Seen()
    await queue.send('{"a": "ü"}')

    async with triggers_of(app_of(queue, seen), queue.environ):
        message = await seen.next()

    assert isinstance(message, func.QueueMessage)
    assert message.get_body() == '{"a": "ü"}'.encode()
    assert message.get_json() == {"a": "ü"}
    assert (bool(message.id), message.dequeue_count, bool(message.pop_receipt)) == (True, 1, True)
    times = [message.insertion_time, message.time_next_visible, message.expiration_time]
    assert all(isinstance(time, datetime) and time.tzinfo is UTC for time in times)
    assert times == sorted(times)  # type: ignore[type-var] # the line above tells
    assert await queue.length() == 0


async def test_messages_that_wait_together_are_worked_on_side_by_side(queue: Queue) -> None:
    meeting = asyncio.Barrier(8)
    seen = Seen()
    app = df.DFApp()

    @app.queue_trigger(arg_name="msg", queue_name=queue.name, connection="Storage")
    async def meets(msg: func.QueueMessage) -> None:
        await meeting.wait()
        seen.note(msg.get_body().decode())

    await queue.send(*map(str, range(8)))
    async with triggers_of(app, queue.environ):
        met = await seen.take(8)

    assert sorted(met) == list("01234567")


async def test_a_message_that_fails_five_times_moves_unchanged_to_the_poison_queue(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Seen()
    await queue.send("poison")

    async with triggers_of(app_of(queue, seen, fails=9), queue.environ, options=impatient()):
        tries = await seen.take(5)

    assert [message.dequeue_count for message in tries] == [1, 2, 3, 4, 5]
    assert seen.is_empty
    assert await queue.length() == 0
    assert await queue.put_by() == [encoded("poison")]
    assert said(caplog)[-1] == (
        f"on_message: moving message {tries[0].id}, received 5 times, to the queue "
        f"{queue.name}-poison"
    )


async def test_a_message_that_works_at_the_third_try_is_not_poison(queue: Queue) -> None:
    seen = Seen()
    await queue.send("stubborn", "easy")

    async with triggers_of(app_of(queue, seen, fails=2), queue.environ, options=impatient()):
        notes = await seen.take(6)

    counts = [note.dequeue_count for note in notes if note.get_body() == b"stubborn"]
    assert counts == [1, 2, 3]
    assert await queue.length() == 0
    with pytest.raises(HttpResponseError, match="QueueNotFound"):
        await queue.put_by()


async def test_a_message_that_is_not_base64_is_poisoned_unread_and_reported(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Seen()
    await queue.client.send_message("<plain & simple>")
    await queue.send("after it")

    async with triggers_of(app_of(queue, seen), queue.environ):
        message = await seen.next()

    assert message.get_body() == b"after it"
    assert seen.is_empty
    assert await queue.put_by() == ["<plain & simple>"]
    unread, moved = said(caplog)
    assert f"of the queue {queue.name} is not base64 and cannot be read. Send it with" in unread
    assert moved.endswith(f"received 1 times, to the queue {queue.name}-poison")


async def test_message_encoding_none_gives_the_message_as_it_was_sent(queue: Queue) -> None:
    seen = Seen()
    await queue.client.send_message("plain words")

    options = impatient(messageEncoding="none")
    async with triggers_of(app_of(queue, seen), queue.environ, options=options):
        message = await seen.next()

    assert message.get_body() == b"plain words"


async def test_bytes_that_are_no_text_are_never_given_to_a_function_that_takes_text(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Seen()
    await queue.client.send_message(encoded(b"\xff\xfe"))
    await queue.send("after it")

    options = impatient(maxDequeueCount=1)
    async with triggers_of(app_of(queue, seen), queue.environ, options=options):
        message = await seen.next()

    assert message.get_body() == b"after it"
    assert seen.is_empty
    assert await queue.put_by() == [encoded(b"\xff\xfe")]
    assert "on_message was not run on message" in said(caplog)[0]


async def test_a_function_with_data_type_binary_is_given_any_bytes(queue: Queue) -> None:
    seen = Seen()
    await queue.client.send_message(encoded(b"\xff\xfe"))

    async with triggers_of(app_of(queue, seen, data_type="BINARY"), queue.environ):
        message = await seen.next()

    assert message.get_body() == b"\xff\xfe"


async def test_max_dequeue_count_is_the_number_of_tries(queue: Queue) -> None:
    seen = Seen()
    await queue.send("poison")

    options = impatient(maxDequeueCount=2)
    async with triggers_of(app_of(queue, seen, fails=9), queue.environ, options=options):
        await seen.take(2)

    assert seen.is_empty
    assert await queue.put_by() == [encoded("poison")]


async def test_a_message_that_was_dequeued_too_often_is_poisoned_without_another_attempt(
    queue: Queue,
) -> None:
    seen = Seen()
    await queue.send("taken by a host that died")
    for _ in range(2):
        taken = await queue.client.receive_message()
        assert taken is not None
        await queue.client.update_message(taken.id, taken.pop_receipt, visibility_timeout=0)
    await queue.send("after it")

    options = impatient(maxDequeueCount=2)
    async with triggers_of(app_of(queue, seen), queue.environ, options=options):
        message = await seen.next()

    assert message.get_body() == b"after it"
    assert await queue.put_by() == [encoded("taken by a host that died")]


async def test_visibility_timeout_keeps_a_failed_message_back(queue: Queue) -> None:
    seen = Seen()
    await queue.send("later")

    options = impatient(visibilityTimeout="01:00:00")
    async with triggers_of(app_of(queue, seen, fails=9), queue.environ, options=options):
        await seen.next()

    assert await queue.client.receive_message() is None
    assert await queue.length() == 1


async def test_a_queue_that_is_made_later_is_waited_for_in_silence(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Seen()
    await queue.client.delete_queue()

    async with triggers_of(app_of(queue, seen), queue.environ, options=impatient()):
        await queue.client.create_queue()
        await queue.send("at last")
        message = await seen.next()

    assert message.get_body() == b"at last"
    assert said(caplog) == []


async def test_a_poison_queue_can_have_a_function(queue: Queue) -> None:
    seen = Seen()
    app = app_of(queue, seen, fails=9)

    @app.queue_trigger(arg_name="msg", queue_name=f"{queue.name}-poison", connection="Storage")
    async def on_poison(msg: func.QueueMessage) -> None:
        seen.note(("poison", msg.get_body()))

    await queue.send("bad")
    options = impatient(maxDequeueCount=1)
    async with triggers_of(app, queue.environ, options=options):
        _, poison = await seen.take(2)

    assert poison == ("poison", b"bad")


async def test_fields_of_a_message_hide_those_of_the_queue_and_one_warning_says_so(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    seen = Seen()
    body = {"id": "INV-1", "DEQUEUECOUNT": 7, "popReceipt": ["a list"], "other": 1}
    await queue.send(json.dumps(body), json.dumps(body))

    async with triggers_of(app_of(queue, seen), queue.environ):
        message, _ = await seen.take(2)

    assert (message.id, message.dequeue_count) == ("INV-1", 7)
    assert message.pop_receipt not in (None, "a list")
    (text,) = said(caplog)
    assert "a message has the fields DequeueCount, Id. As on Azure, they replace" in text


async def test_a_message_in_progress_when_durablehost_stops_is_delivered_at_the_next_start(
    queue: Queue,
) -> None:
    begun = Seen()
    app = df.DFApp()

    @app.queue_trigger(arg_name="msg", queue_name=queue.name, connection="Storage")
    async def hangs(msg: func.QueueMessage) -> None:
        begun.note(msg)
        await asyncio.Event().wait()

    await queue.send("unfinished")
    async with triggers_of(app, queue.environ):
        await begun.next()

    again = await queue.client.receive_message()
    assert again is not None
    assert again.dequeue_count == 2


async def test_a_lease_is_renewed_while_the_function_runs(queue: Queue) -> None:
    await queue.send("slow")
    message = await queue.client.receive_message(visibility_timeout=60)
    assert message is not None
    slept: list[float] = []
    renewed = asyncio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            renewed.set()
            await asyncio.Event().wait()

    lease = Lease(queue.client, message, timedelta(minutes=10), sleep)
    async with lease.kept():
        await renewed.wait()

    assert slept == [300, 300, 300]
    with pytest.raises(HttpResponseError, match="PopReceiptMismatch"):
        await queue.client.delete_message(message.id, message.pop_receipt)
    await queue.client.delete_message(message.id, lease.receipt)


async def test_a_run_by_hand_is_given_the_text_as_a_message_no_queue_has_seen(
    queue: Queue,
) -> None:
    seen = Seen()
    app = app_of(queue, seen)

    async with triggers_of(app, queue.environ) as triggers:
        await triggers.run_now(function_of(index_app(app), "on_message"), "by hand")
        message = await seen.next()

    assert message.get_body() == b"by hand"
    assert (message.id, message.dequeue_count, message.pop_receipt) == (None, 0, None)
    assert message.expiration_time.year == 9999
    assert await queue.length() == 0


async def test_a_storage_that_does_not_answer_is_named_once_and_so_is_its_return(
    queue: Queue, caplog: pytest.LogCaptureFixture, azurite_connection: str
) -> None:
    caplog.set_level(logging.INFO, "durablehost")
    seen, lines = Seen(), Seen()
    await queue.send("patience")
    with noting(lines):
        async with Gate(azurite_connection) as gate:
            environ = {"AzureWebJobsStorage": gate.connection}
            async with triggers_of(app_of(queue, seen), environ, options=impatient()):
                warning = await lines.next()
                gate.is_open = True
                await seen.next()

    assert re.fullmatch(
        rf"on_message: the storage at {gate.address}/{queue.name} does not answer \(.+\)\. "
        r"Start Azurite, or correct the function's connection; durablehost keeps trying\.",
        warning,
    )
    assert said(caplog) == [
        warning,
        f"on_message: the storage at {gate.address}/{queue.name} answers again",
    ]
    assert not any(record.exc_info for record in caplog.records)


async def test_a_storage_that_refuses_is_named_with_its_answer(
    queue: Queue, azurite_connection: str
) -> None:
    lines = Seen()
    environ = {"AzureWebJobsStorage": re.sub("AccountKey=..", "AccountKey=AA", azurite_connection)}

    with noting(lines):
        async with triggers_of(app_of(queue, Seen()), environ):
            warning = await lines.next()

    assert f"/{queue.name} answers 403 " in warning
