"""Blob triggers that poll: a function runs for each new or changed blob of its path."""

import json
import logging
from dataclasses import asdict, dataclass
from datetime import timedelta

from azure.core.exceptions import AzureError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob.aio import ContainerClient

from durablehost.calling.azure_storage import describe
from durablehost.calling.blob_path import BlobPath
from durablehost.triggers.blob_runs import BlobRuns, plain_etag
from durablehost.triggers.options import TriggerOptions
from durablehost.triggers.polling import Polling
from durablehost.triggers.running import RunningWork
from durablehost.triggers.state import TriggerState

log = logging.getLogger(__name__)

# Listing blobs delays everything else: read small pages, and long lists less often.
_PAGE = 500
_PAUSE_PER_BLOB = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Receipt:
    """The progress of a function on one version of a blob."""

    etag: str = ""
    tries: int = 0
    done: bool = False


class BlobTrigger:
    """Looks for the blobs of one container and runs one function on them."""

    def __init__(
        self,
        path: BlobPath,
        container: ContainerClient,
        runs: BlobRuns,
        state: TriggerState,
        options: TriggerOptions,
    ) -> None:
        self._function = runs.function
        self._path = path
        self._container = container
        self._runs = runs
        self._state = state
        self._options = options
        self._receipts: dict[str, Receipt] = {}
        self._at_work: set[str] = set()
        self._troubled: set[str] = set()  # blobs that the storage did not return
        self._running = RunningWork()
        self._longest_pause = options.queues.max_polling_interval
        self._polling = Polling(self._function.name, self._container.url, self._longest_pause)

    async def serve(self) -> None:
        """Process blobs until stopped."""
        await self._polling.run(self._look)

    async def stop(self, grace_seconds: float) -> None:
        """Begin no more blobs. Those that do not end in time are tried again."""
        self._polling.stop()
        await self._running.stop(grace_seconds)

    async def run_now(self, text: str) -> None:
        """Run the function on the blob at `container/name`, seen before or not."""
        await self._runs.run_now(text)

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
        blob = await self._runs.read(self._path.container, name)
        self._troubled.discard(name)
        before = self._receipt(name, blob.properties.etag)
        if before.done:
            return
        done = await self._runs.run(blob)
        tries = before.tries + 1
        if not done and tries >= self._options.max_blob_tries:
            await self._runs.put_by(blob, tries)
            done = True
        self._keep(name, Receipt(before.etag, tries, done))
        if not done:
            self._polling.look_soon()

    def _receipt(self, name: str, etag: str) -> Receipt:
        if name not in self._receipts:
            kept = self._state.get(self._key(name))
            self._receipts[name] = Receipt(**json.loads(kept)) if kept else Receipt()
        receipt = self._receipts[name]
        return receipt if receipt.etag == plain_etag(etag) else Receipt(plain_etag(etag))

    def _keep(self, name: str, receipt: Receipt) -> None:
        self._receipts[name] = receipt
        self._state.put(self._key(name), json.dumps(asdict(receipt)))

    def _key(self, name: str) -> str:
        return f"blob:{self._function.name}:{self._path.container}/{name}"
