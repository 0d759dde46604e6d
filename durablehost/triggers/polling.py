"""Polls a storage, and logs once when it does not answer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from azure.core.exceptions import AzureError, ResourceNotFoundError

from durablehost.calling.azure_storage import describe

log = logging.getLogger(__name__)

SHORTEST = timedelta(milliseconds=100)
LONGEST_AFTER_FAILURE = timedelta(seconds=10)


class Polling:
    """Polls for the work of one function. The pauses grow while there is none."""

    def __init__(self, function: str, address: str, longest: timedelta) -> None:
        self._function = function
        self._address = address
        self.longest = max(longest, SHORTEST)
        self._answers = True
        self.stopped = False
        self._wake = asyncio.Event()

    async def run(self, look: Callable[[], Awaitable[bool]]) -> None:
        """Poll until stopped. `look` returns whether there was work."""
        wait = SHORTEST
        while not self.stopped:
            try:
                found = await self._look(look)
                longest = self.longest
            except AzureError as error:
                self._does_not_answer(error)
                found, longest = False, LONGEST_AFTER_FAILURE
            except Exception:  # a fault of durablehost must not end the trigger
                log.exception("%s: looking into %s failed", self._function, self._address)
                found, longest = False, LONGEST_AFTER_FAILURE
            wait = SHORTEST if found else min(wait, longest)
            if not found:
                await self._pause(wait)
                wait = wait * 2

    async def _look(self, look: Callable[[], Awaitable[bool]]) -> bool:
        try:
            found = await look()
        except ResourceNotFoundError:
            found = False  # the queue or container may be created later
        if not self._answers:
            log.info("%s: the storage at %s answers again", self._function, self._address)
            self._answers = True
        return found

    def _does_not_answer(self, error: AzureError) -> None:
        if self._answers:
            log.warning(
                "%s: the storage at %s %s. Start Azurite, or correct the function's connection; "
                "durablehost keeps trying.",
                self._function,
                self._address,
                describe(error),
            )
            self._answers = False

    async def _pause(self, length: timedelta) -> None:
        try:
            async with asyncio.timeout(length.total_seconds()):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    def look_soon(self) -> None:
        """End the pause, because there may be work."""
        self._wake.set()

    def stop(self) -> None:
        """Poll no more; the current poll runs to its end."""
        self.stopped = True
        self._wake.set()
