"""Reads a blob and runs a function on it; names a blob that keeps failing in the poison queue."""

import base64
import json
import logging
from dataclasses import dataclass

from azure.core import MatchConditions
from azure.core.exceptions import AzureError
from azure.storage.blob import BlobProperties
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from durablehost.app.functions import Function
from durablehost.calling.azure_storage import describe, send_message
from durablehost.triggers.running import Invoke, succeeds
from durablehost.triggers.storage_values import blob_stream

log = logging.getLogger(__name__)

_POISON_QUEUE = "webjobs-blobtrigger-poison"


@dataclass(frozen=True)
class ReadBlob:
    """One version of a blob."""

    container: str
    name: str
    content: bytes
    properties: BlobProperties

    @property
    def path(self) -> str:
        return f"{self.container}/{self.name}"


class BlobRuns:
    """Runs one function on blobs of one storage account."""

    def __init__(
        self,
        function: Function,
        service: BlobServiceClient,
        queues: QueueServiceClient,
        invoke: Invoke,
    ) -> None:
        self.function = function
        self._service = service
        self._poison = queues.get_queue_client(_POISON_QUEUE)
        self._invoke = invoke

    async def read(self, container: str, name: str) -> ReadBlob:
        """The blob as it is now. Raises ResourceModifiedError if it changes meanwhile."""
        client = self._service.get_blob_client(container, name)
        properties = await client.get_blob_properties()
        download = await client.download_blob(
            etag=properties.etag, match_condition=MatchConditions.IfNotModified
        )
        return ReadBlob(container, name, await download.readall(), properties)

    async def run(self, blob: ReadBlob) -> bool:
        """Run the function on the blob. Returns False if it failed; the failure is logged."""
        url = self._service.get_blob_client(blob.container, blob.name).url
        return await succeeds(
            self._invoke,
            self.function,
            lambda: blob_stream(blob.content, blob.path, url, blob.properties),
            f"blob {blob.path}",
        )

    async def run_now(self, text: str) -> None:
        """Run the function on the blob at `container/name`."""
        container, _, name = text.partition("/")
        if not container or not name:
            log.error(
                "%s: %r is not the path of a blob. Give a path as input: container/name",
                self.function.name,
                text,
            )
            return
        try:
            blob = await self.read(container, name)
        except AzureError as error:
            log.error("%s: blob %s: the storage %s", self.function.name, text, describe(error))
            return
        await self.run(blob)

    async def put_by(self, blob: ReadBlob, tries: int) -> None:
        """Name the blob in the poison queue."""
        message = {
            "Type": "BlobTrigger",
            "FunctionId": f"Host.Functions.{self.function.name}",
            "BlobType": blob.properties.blob_type,
            "ContainerName": blob.container,
            "BlobName": blob.name,
            "ETag": plain_etag(blob.properties.etag),
        }
        log.warning(
            "%s: blob %s was tried %s times. Naming it in the queue '%s'.",
            self.function.name,
            blob.path,
            tries,
            _POISON_QUEUE,
        )
        await send_message(
            self._poison, base64.b64encode(json.dumps(message, indent=2).encode()).decode()
        )


def plain_etag(etag: str) -> str:
    """An ETag without quotes: lists of blobs have none, answers about one blob have them."""
    return etag.strip('"')
