"""The storage of bindings, connected when the first binding needs it.

Importing the packages of Azure Storage takes a quarter of a second, which most apps and tests can
save.
"""

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from durablehost.calling.storage_bindings import StorageBinding, StorageFailed

if TYPE_CHECKING:
    from durablehost.calling.azure_storage import AzureStorage

log = logging.getLogger(__name__)

_NOT_INSTALLED = (
    "the packages of Azure Storage are not installed. Queues and blobs need the extra `storage` of"
    " durablehost, or: python -m pip install azure-storage-blob azure-storage-queue"
)


@contextlib.contextmanager
def storage_packages() -> Iterator[None]:
    """Raise ValueError if an import in this block lacks the packages of Azure Storage."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "azure":
            raise
        raise ValueError(_NOT_INSTALLED) from None


class StorageOnDemand:
    """Azure Storage or Azurite, by the connection of a binding. See `Storage`."""

    def __init__(self, environ: Mapping[str, str], *, encode_messages: bool) -> None:
        self._environ = environ
        self._encode_messages = encode_messages
        self._connected: AzureStorage | None = None

    async def send(self, connection: str, queue: str, body: bytes) -> None:
        await self._storage().send(connection, queue, body)

    async def write(self, connection: str, path: str, content: bytes) -> None:
        await self._storage().write(connection, path, content)

    async def read(self, connection: str, path: str) -> bytes | None:
        return await self._storage().read(connection, path)

    async def check(self, bindings: Sequence[StorageBinding]) -> None:
        """Log an error for each storage that these bindings need and that cannot be used."""
        if not bindings:
            return
        try:
            storage = self._storage()
        except StorageFailed as failed:
            log.error("The queue and blob bindings of this app do not work: %s", failed)
        else:
            await storage.check(bindings)

    def _storage(self) -> "AzureStorage":
        if self._connected is None:
            try:
                with storage_packages():
                    from durablehost.calling.azure_storage import AzureStorage
            except ValueError as error:
                raise StorageFailed(str(error)) from None
            self._connected = AzureStorage(self._environ, encode_messages=self._encode_messages)
        return self._connected

    async def close(self) -> None:
        if self._connected is not None:
            await self._connected.close()
