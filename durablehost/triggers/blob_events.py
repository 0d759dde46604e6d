"""Blob triggers for events of Event Grid: a function runs for each event that names a blob."""

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from azure.core.exceptions import AzureError, ResourceNotFoundError

from durablehost.calling.azure_storage import describe
from durablehost.triggers.blob_runs import BlobRuns, ReadBlob
from durablehost.triggers.options import TriggerOptions
from durablehost.triggers.running import RunningWork
from durablehost.triggers.state import TriggerState

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BlobEvent:
    """The blob that an event names, and how often the function has failed on it."""

    container: str
    name: str
    tries: int = 0


class BlobEventTrigger:
    """Runs one function on the blobs that events name.

    An event is kept until the function succeeds or fails too often, also after a restart. As in
    Azure, an event that comes twice runs the function twice, and the path of the trigger does not
    filter: the subscription does.
    """

    def __init__(self, runs: BlobRuns, state: TriggerState, options: TriggerOptions) -> None:
        self._runs = runs
        self._state = state
        self._options = options
        self._key = f"blob-events:{runs.function.name}"
        kept = json.loads(state.get(self._key) or "[]")
        self._events = dict(enumerate(BlobEvent(**event) for event in kept))
        self._left = list(self._events)
        self._next = len(self._events)
        self._slots = asyncio.Semaphore(options.max_parallel_blobs)
        self._running = RunningWork()
        self._stopped = asyncio.Event()

    async def serve(self) -> None:
        """Run events of an earlier start, then wait for the end. New events arrive by `take`."""
        for number in self._left:
            self._running.start(self._process(number))
        await self._stopped.wait()

    async def stop(self, grace_seconds: float) -> None:
        """Begin no more runs; events whose runs do not end in time are run at the next start."""
        self._stopped.set()
        await self._running.stop(grace_seconds)

    async def run_now(self, text: str) -> None:
        """Run the function on the blob at `container/name`."""
        await self._runs.run_now(text)

    def take(self, blobs: Sequence[tuple[str, str]]) -> None:
        """Keep events about these blobs, each (container, name), and run the function soon."""
        numbers = range(self._next, self._next + len(blobs))
        self._next = numbers.stop
        events = [BlobEvent(container, name) for container, name in blobs]
        self._events.update(zip(numbers, events, strict=True))
        self._save()
        if not self._stopped.is_set():
            for number in numbers:
                self._running.start(self._process(number))

    async def _process(self, number: int) -> None:
        async with self._slots:
            while number in self._events and not self._stopped.is_set():
                await self._try(number)

    async def _try(self, number: int) -> None:
        event = self._events[number]
        tries = event.tries + 1
        blob: ReadBlob | None = None
        try:
            blob = await self._runs.read(event.container, event.name)
            done = await self._runs.run(blob)
        except ResourceNotFoundError:
            done = True  # deleted since the event was sent
        except AzureError as error:
            done = False
            self._warn(event, error)
        if not done and tries >= self._options.max_blob_tries:
            done = True
            if blob is not None:
                await self._put_by(event, blob, tries)
        if done:
            del self._events[number]
        else:
            self._events[number] = replace(event, tries=tries)
        self._save()

    async def _put_by(self, event: BlobEvent, blob: ReadBlob, tries: int) -> None:
        try:
            await self._runs.put_by(blob, tries)
        except AzureError as error:
            self._warn(event, error)

    def _warn(self, event: BlobEvent, error: AzureError) -> None:
        log.warning(
            "%s: blob %s/%s: the storage %s",
            self._runs.function.name,
            event.container,
            event.name,
            describe(error),
        )

    def _save(self) -> None:
        self._state.put(self._key, json.dumps([asdict(event) for event in self._events.values()]))
