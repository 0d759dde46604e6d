"""Blob triggers: a function for each new or changed blob that its path takes."""

import base64
import json
import logging
from dataclasses import asdict, dataclass
from datetime import timedelta

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobProperties
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from durablehost.app.functions import Function
from durablehost.triggers.blob_path import BlobPath
from durablehost.triggers.options import TriggerOptions
from durablehost.triggers.polling import Polling, describe
from durablehost.triggers.queues import send
from durablehost.triggers.running import Invoke, Tasks, succeeds
from durablehost.triggers.state import TriggerState
from durablehost.triggers.storage_values import blob_stream

log = logging.getLogger(__name__)

_POISON_QUEUE = "webjobs-blobtrigger-poison"
# Listing blobs takes time from everything else: read small pages, and long lists less often.
_PAGE = 500
_PAUSE_PER_BLOB = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Receipt:
    """How far a function is with one version of a blob."""

    etag: str = ""
    tries: int = 0
    done: bool = False


class BlobTrigger:
    """Feeds the blobs of one container to one function."""

    def __init__(
        self,
        function: Function,
        path: BlobPath,
        service: BlobServiceClient,
        queues: QueueServiceClient,
        invoke: Invoke,
        state: TriggerState,
        options: TriggerOptions,
    ) -> None:
        self._function = function
        self._path = path
        self._service = service
        self._container = service.get_container_client(path.container)
        self._poison = queues.get_queue_client(_POISON_QUEUE)
        self._invoke = invoke
        self._state = state
        self._options = options
        self._receipts: dict[str, Receipt] = {}
        self._at_work: set[str] = set()
        self._troubled: set[str] = set()  # blobs the storage would not hand out
        self._running = Tasks()
        self._longest_pause = options.queues.max_polling_interval
        self._polling = Polling(function.name, self._container.url, self._longest_pause)

    async def serve(self) -> None:
        """Take blobs until stopped."""
        await self._polling.run(self._look)

    async def stop(self, grace_seconds: float) -> None:
        """Take no more blobs; those under way that do not end in time are tried again."""
        self._polling.stop()
        await self._running.stop(grace_seconds)

    async def run_now(self, text: str) -> None:
        """Run the function on the blob at `container/name`, seen before or not."""
        container, _, name = text.partition("/")
        if not container or not name:
            log.error(
                "%s: %r is no path of a blob. Give one as input: container/name",
                self._function.name,
                text,
            )
            return
        try:
            content, properties = await self._read(container, name)
        except AzureError as error:
            log.error("%s: blob %s: the storage %s", self._function.name, text, describe(error))
            return
        await self._runs(container, name, content, properties)

    async def _look(self) -> bool:
        found, listed = False, 0
        async for blob in self._container.list_blobs(
            name_starts_with=self._path.prefix or None, results_per_page=_PAGE
        ):
            listed += 1
            if not self._path.takes(blob.name) or blob.name in self._at_work:
                continue
            if self._receipt(blob.name, blob.etag).done:
                continue
            found = found or blob.name not in self._troubled
            await self._running.until_fewer_than(self._options.max_parallel_blobs)
            if self._polling.stopped:
                break
            self._at_work.add(blob.name)
            self._running.start(self._process(blob.name))
        self._polling.longest = max(self._longest_pause, _PAUSE_PER_BLOB * listed)
        return found

    async def _process(self, name: str) -> None:
        try:
            await self._handle(name)
        except ResourceNotFoundError:
            pass  # deleted since it was listed
        except ResourceModifiedError:
            self._polling.look_soon()
        except AzureError as error:
            if name not in self._troubled:
                self._troubled.add(name)
                log.warning(
                    "%s: blob %s/%s: the storage %s; durablehost tries again",
                    self._function.name,
                    self._path.container,
                    name,
                    describe(error),
                )
        finally:
            self._at_work.discard(name)

    async def _handle(self, name: str) -> None:
        content, properties = await self._read(self._path.container, name)
        self._troubled.discard(name)
        before = self._receipt(name, properties.etag)
        if before.done:
            return
        done = await self._runs(self._path.container, name, content, properties)
        tries = before.tries + 1
        if not done and tries >= self._options.max_blob_tries:
            await self._put_by(name, properties)
            done = True
        self._keep(name, Receipt(before.etag, tries, done))
        if not done:
            self._polling.look_soon()

    async def _read(self, container: str, name: str) -> tuple[bytes, BlobProperties]:
        client = self._service.get_blob_client(container, name)
        properties = await client.get_blob_properties()
        download = await client.download_blob(
            etag=properties.etag, match_condition=MatchConditions.IfNotModified
        )
        return await download.readall(), properties

    async def _runs(
        self, container: str, name: str, content: bytes, properties: BlobProperties
    ) -> bool:
        url = self._service.get_blob_client(container, name).url
        path = f"{container}/{name}"
        return await succeeds(
            self._invoke,
            self._function,
            lambda: blob_stream(content, path, url, properties),
            f"blob {path}",
        )

    async def _put_by(self, name: str, properties: BlobProperties) -> None:
        message = {
            "Type": "BlobTrigger",
            "FunctionId": f"Host.Functions.{self._function.name}",
            "BlobType": properties.blob_type,
            "ContainerName": self._path.container,
            "BlobName": name,
            "ETag": _plain(properties.etag),
        }
        log.warning(
            "%s: blob %s/%s was tried %s times. Naming it in the queue '%s'.",
            self._function.name,
            self._path.container,
            name,
            self._options.max_blob_tries,
            _POISON_QUEUE,
        )
        await send(self._poison, base64.b64encode(json.dumps(message, indent=2).encode()).decode())

    def _receipt(self, name: str, etag: str) -> Receipt:
        if name not in self._receipts:
            kept = self._state.get(self._key(name))
            self._receipts[name] = Receipt(**json.loads(kept)) if kept else Receipt()
        receipt = self._receipts[name]
        return receipt if receipt.etag == _plain(etag) else Receipt(_plain(etag))

    def _keep(self, name: str, receipt: Receipt) -> None:
        self._receipts[name] = receipt
        self._state.put(self._key(name), json.dumps(asdict(receipt)))

    def _key(self, name: str) -> str:
        return f"blob:{self._function.name}:{self._path.container}/{name}"


def _plain(etag: str) -> str:
    """Lists of blobs have it bare, answers about one blob in quotes."""
    return etag.strip('"')
