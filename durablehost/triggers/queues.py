"""Queue triggers: a function runs for each message; after five failures it is poison."""

import asyncio
import base64
import binascii
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceNotFoundError,
)
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from durablehost.app.functions import Function
from durablehost.calling.azure_storage import describe, send_message
from durablehost.triggers.options import QueueOptions
from durablehost.triggers.polling import Polling
from durablehost.triggers.running import Invoke, RunningWork, succeeds
from durablehost.triggers.storage_values import overrides, queue_message

log = logging.getLogger(__name__)

_POISON = "-poison"
_LONGEST_NAME = 63


class QueueTrigger:
    """Runs one function on the messages of one queue."""

    def __init__(
        self,
        function: Function,
        queue: str,
        service: QueueServiceClient,
        invoke: Invoke,
        options: QueueOptions,
    ) -> None:
        self._function = function
        self._queue = service.get_queue_client(queue)
        # A poison queue has no poison queue: a failed message reappears when its lease ends.
        has_poison = not queue.endswith(_POISON) and len(queue + _POISON) <= _LONGEST_NAME
        self._poison = service.get_queue_client(queue + _POISON) if has_poison else None
        self._invoke = invoke
        self._options = options
        self._running = RunningWork()
        self._polling = Polling(function.name, self._queue.url, options.max_polling_interval)
        self._told_of_overrides = False

    async def serve(self) -> None:
        """Process messages until stopped."""
        await self._polling.run(self._look)

    async def stop(self, grace_seconds: float) -> None:
        """Begin no more messages. Those that do not end in time are put back."""
        self._polling.stop()
        await self._running.stop(grace_seconds)

    async def run_now(self, text: str) -> None:
        """Run the function on a message with this text, which is not from a queue."""
        await self._runs(text.encode(), None, "the text given")

    async def _look(self) -> bool:
        await self._running.until_fewer_than(self._options.new_batch_threshold + 1)
        if self._polling.stopped:
            return False
        pages = self._queue.receive_messages(
            messages_per_page=self._options.batch_size,
            visibility_timeout=int(self._options.lease.total_seconds()),
        ).by_page()
        try:
            messages = [message async for message in await anext(pages)]
        except StopAsyncIteration:
            return False
        for message in messages:
            if self._polling.stopped:
                await Lease(self._queue, message, self._options.lease).end()
            else:
                self._running.start(self._process(message))
        return True

    async def _process(self, message: QueueMessage) -> None:
        lease = Lease(self._queue, message, self._options.lease)
        try:
            await self._handle(message, lease)
        except asyncio.CancelledError:
            with contextlib.suppress(AzureError):
                await lease.end()
            raise
        except AzureError as error:
            if not _is_gone(error):
                log.warning(
                    "%s: the storage at %s %s; message %s comes again when its lease ends",
                    self._function.name,
                    self._queue.url,
                    describe(error),
                    message.id,
                )

    async def _handle(self, message: QueueMessage, lease: "Lease") -> None:
        tries = message.dequeue_count or 1
        most_tries = self._options.max_dequeue_count
        body = self._body(message)
        if body is None or tries > most_tries:
            await self._put_by(message, lease)
            return
        async with lease.kept():
            done = await self._runs(body, message, f"message {message.id}")
        if done:
            await self._queue.delete_message(message.id, lease.receipt)
        elif tries >= most_tries:
            await self._put_by(message, lease)
        elif self._poison:
            await lease.end(self._options.visibility_timeout)

    def _body(self, message: QueueMessage) -> bytes | None:
        """The body of a message; None, with a warning, if the host cannot read it."""
        text = str(message.content or "")
        if not self._options.base64:
            return text.encode()
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except binascii.Error:
            log.warning(
                "%s: message %s of the queue %s is not base64 and cannot be read. Send it with a "
                "QueueClient that has message_encode_policy=TextBase64EncodePolicy(), or put "
                '"messageEncoding": "none" below extensions.queues in host.json.',
                self._function.name,
                message.id,
                self._queue.queue_name,
            )
            return None

    async def _put_by(self, message: QueueMessage, lease: "Lease") -> None:
        if self._poison is None:
            return
        log.warning(
            "%s: moving message %s, received %s times, to the queue %s",
            self._function.name,
            message.id,
            message.dequeue_count,
            self._poison.queue_name,
        )
        await send_message(self._poison, str(message.content or ""))
        await self._queue.delete_message(message.id, lease.receipt)

    async def _runs(self, body: bytes, message: QueueMessage | None, about: str) -> bool:
        binary = str(self._function.trigger.get("dataType", "")).lower() == "binary"
        if not binary:
            self._tell_of_overrides(body)
        return await succeeds(
            self._invoke,
            self._function,
            lambda: queue_message(body, message, binary=binary),
            about,
        )

    def _tell_of_overrides(self, body: bytes) -> None:
        hidden = overrides(body.decode(errors="replace"))
        if hidden and not self._told_of_overrides:
            self._told_of_overrides = True
            log.warning(
                "%s: a message has the fields %s. As on Azure, they replace the properties that "
                "the queue gives it, so msg.id and others return what the sender wrote.",
                self._function.name,
                ", ".join(sorted(hidden)),
            )


class Lease:
    """Keeps a message invisible to others while a function runs on it."""

    def __init__(
        self,
        queue: QueueClient,
        message: QueueMessage,
        length: timedelta,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._queue = queue
        self._message_id = message.id
        self._length = length
        self._sleep = sleep
        self._renewing = asyncio.Lock()
        self.receipt = message.pop_receipt  # a new one after each renewal

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Renew the lease for as long as this lasts."""
        keeping = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            # If a renewal is interrupted, the valid receipt is lost.
            async with self._renewing:
                keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _keep(self) -> None:
        while True:
            await self._sleep(self._length.total_seconds() / 2)
            async with self._renewing:
                # Polling reports a storage that does not answer.
                with contextlib.suppress(AzureError):
                    await self.end(self._length)

    async def end(self, after: timedelta = timedelta(0)) -> None:
        """Make the message visible to others after this time."""
        updated = await self._queue.update_message(
            self._message_id, self.receipt, visibility_timeout=int(after.total_seconds())
        )
        self.receipt = updated.pop_receipt


def _is_gone(error: AzureError) -> bool:
    """Whether another process has the message, or it was deleted."""
    if isinstance(error, ResourceNotFoundError):
        return True
    return isinstance(error, HttpResponseError) and "PopReceiptMismatch" in str(error)
