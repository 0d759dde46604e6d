"""The queues and blobs of a test: bindings read and write them instead of Azure Storage."""


class MemoryStorage:
    """Messages by the name of their queue, and blobs by their path. See `Storage`."""

    def __init__(self) -> None:
        self.messages: dict[str, list[str]] = {}
        self.blobs: dict[str, str | bytes] = {}

    async def send(self, connection: str, queue: str, body: bytes) -> None:
        self.messages.setdefault(queue, []).append(body.decode(errors="replace"))

    async def write(self, connection: str, path: str, content: bytes) -> None:
        self.blobs[path] = content

    async def read(self, connection: str, path: str) -> bytes | None:
        content = self.blobs.get(path)
        return content.encode() if isinstance(content, str) else content
