"""Queues and blobs for bindings, on Azure Storage or Azurite."""

import base64
import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from durablehost.calling.connections import Connections
from durablehost.calling.storage_bindings import StorageBinding, StorageFailed

log = logging.getLogger(__name__)


class AzureStorage:
    """Sends, writes and reads for the bindings of an app. See `Storage`."""

    def __init__(self, environ: Mapping[str, str], *, encode_messages: bool) -> None:
        self._connections = Connections(environ)
        self._encode_messages = encode_messages

    async def send(self, connection: str, queue: str, body: bytes) -> None:
        with _explained():
            client = self._connections.queues(connection).get_queue_client(queue)
            with _at(client.url):
                encoded = base64.b64encode(body) if self._encode_messages else body
                await send_message(client, encoded.decode())

    async def write(self, connection: str, path: str, content: bytes) -> None:
        with _explained():
            container, _, name = path.partition("/")
            client = self._connections.blobs(connection).get_container_client(container)
            with _at(client.url):
                try:
                    await client.upload_blob(name, content, overwrite=True)
                except ResourceNotFoundError:
                    with contextlib.suppress(ResourceExistsError):
                        await client.create_container()
                    await client.upload_blob(name, content, overwrite=True)

    async def read(self, connection: str, path: str) -> bytes | None:
        with _explained():
            container, _, name = path.partition("/")
            client = self._connections.blobs(connection).get_blob_client(container, name)
            with _at(client.url):
                try:
                    return await (await client.download_blob()).readall()
                except ResourceNotFoundError:
                    return None

    async def check(self, bindings: Sequence[StorageBinding]) -> None:
        """Log an error for each storage that these bindings need and that cannot be used."""
        users: dict[tuple[str, str], list[str]] = {}
        for binding in bindings:
            names = users.setdefault((binding.connection, binding.type), [])
            names.append(f"{binding.name} of {binding.function}")
        for (connection, kind), names in users.items():
            try:
                await self._reach(connection, kind)
            except StorageFailed as failed:
                log.error("The %s bindings %s do not work: %s", kind, ", ".join(names), failed)

    async def _reach(self, connection: str, kind: str) -> None:
        with _explained():
            connect: Callable[[str], QueueServiceClient | BlobServiceClient]
            connect = self._connections.queues if kind == "queue" else self._connections.blobs
            service = connect(connection)
            with _at(service.url), contextlib.suppress(HttpResponseError):  # it answers
                await service.get_service_properties()

    async def close(self) -> None:
        await self._connections.close()


async def send_message(queue: QueueClient, text: str) -> None:
    """Put a text on a queue, which is created if it does not exist. Raises AzureError."""
    try:
        await queue.send_message(text)
    except ResourceNotFoundError:
        with contextlib.suppress(ResourceExistsError):
            await queue.create_queue()
        await queue.send_message(text)


def describe(error: AzureError) -> str:
    """Describe in a few words how the storage failed."""
    if isinstance(error, HttpResponseError) and error.status_code:
        return f"answers {error.status_code} {error.reason or ''}".rstrip()
    reason, *_ = str(error).splitlines() or [type(error).__name__]
    return f"does not answer ({reason})"


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Raise errors in the settings of a connection as StorageFailed."""
    try:
        yield
    except ValueError as error:
        raise StorageFailed(str(error)) from error


@contextlib.contextmanager
def _at(url: str) -> Iterator[None]:
    """Raise errors of the storage with this address as StorageFailed."""
    try:
        yield
    except AzureError as error:
        raise StorageFailed(
            f"the storage at {url} {describe(error)}. Start Azurite, or correct the connection."
        ) from error
