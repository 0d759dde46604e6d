"""A blob container for one test."""

import base64
import json
import uuid
from typing import Any

from azure.storage.blob.aio import ContainerClient
from azure.storage.queue.aio import QueueClient


class Container:
    """A container of its own for each test, and the queue where all poisonous blobs are named."""

    def __init__(self, connection: str) -> None:
        self.name = f"c{uuid.uuid4().hex[:20]}"
        self.environ = {"AzureWebJobsStorage": connection}
        self.client = ContainerClient.from_connection_string(connection, self.name)
        self.poison = QueueClient.from_connection_string(connection, "webjobs-blobtrigger-poison")

    async def upload(self, name: str, content: bytes = b"text", **options: Any) -> str:
        """Write a blob; returns its ETag without quotes."""
        blob = await self.client.upload_blob(name, content, overwrite=True, **options)
        return (await blob.get_blob_properties()).etag.strip('"')

    async def put_by(self) -> list[dict[str, str]]:
        """What was put by of this container; other tests use the same queue."""
        texts = [str(message.content) for message in await self.poison.peek_messages(32)]
        blobs = [json.loads(base64.b64decode(text)) for text in texts]
        return [blob for blob in blobs if blob["ContainerName"] == self.name]
