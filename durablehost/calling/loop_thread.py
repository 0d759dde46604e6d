"""The event loop for the app's async functions, in a thread of its own.

It does not keep the process alive.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from durablehost import sdk_patches
from durablehost.calling.interrupting import Interrupted, interrupt, where_is
from durablehost.calling.threads import RanTooLong, seconds_left

log = logging.getLogger(__name__)

T = TypeVar("T")

_ANSWERS_WITHIN: Final = 1.0  # seconds, an event loop that is not blocked
_LOOKED_AT_AFTER: Final = 2.0  # seconds, a call that may wait for a blocked loop


class WasCancelled(Exception):
    """Code of the app has cancelled the task of a function."""


class _Start:
    """Starts an async function; on another loop if the first one is blocked."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self.began = 0.0

    def schedule(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(self._run(coroutine, self._loop), self._loop)

    async def _run(self, coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
        with self._lock:
            if loop is not self._loop:
                raise asyncio.CancelledError
            self.began = time.perf_counter()
        return await coroutine

    def is_to_move(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether it has to be scheduled again, on the loop that replaced a blocked one."""
        with self._lock:
            if self.began or loop is self._loop:
                return False
            self._loop = loop
            return True


class LoopThread:
    """An event loop in its own thread, on which the app's async functions run."""

    def __init__(self) -> None:
        self._is_closed = False
        self._unblocking: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._is_reported = False  # that the loop is blocked
        self._start()

    def _start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._run, args=[self._loop], name="async-functions", daemon=True
        )
        self._thread.start()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        while True:
            try:
                loop.run_forever()
                if self._is_closed:
                    break
                log.error("A function of the app stopped the event loop. It runs again.")
            except (SystemExit, KeyboardInterrupt, Interrupted) as error:
                # Raised in a task that the app created; other functions continue.
                log.error("a task of the app raised %s", type(error).__name__)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    async def run(self, coroutine: Coroutine[Any, Any, T], limit: float | None = None) -> T:
        """Run a coroutine on the thread's loop and wait for it here. Cancellation is passed on.

        If it runs for longer than `limit` seconds, cancels it and raises RanTooLong. Raises
        WasCancelled if code of the app has cancelled it.
        """
        if self._is_closed:
            coroutine.close()
            raise RuntimeError("durablehost is stopping and starts no more functions")
        start = _Start(self._loop)
        running = asyncio.wrap_future(start.schedule(coroutine))
        looking = asyncio.get_running_loop().call_later(_LOOKED_AT_AFTER, self._look)
        try:
            while not running.done():
                await asyncio.wait([running], timeout=limit and seconds_left(start.began, limit))
                if start.is_to_move(self._loop):
                    running = asyncio.wrap_future(start.schedule(coroutine))
                elif limit and start.began and seconds_left(start.began, limit) <= 0:
                    raise RanTooLong(where_is(self._thread.ident or 0))
            if running.cancelled() and not self._is_closed:
                raise WasCancelled
            return running.result()
        except (asyncio.CancelledError, RanTooLong) as error:
            running.cancel()
            if isinstance(error, RanTooLong):
                self._unblocking = asyncio.create_task(self._unblock())
            raise
        finally:
            looking.cancel()

    def _look(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._report_if_blocked())

    async def _report_if_blocked(self) -> None:
        """Report a function that blocks the loop, once until the loop answers again."""
        thread = self._thread
        if await self._answers():
            self._is_reported = False
        elif thread is self._thread and not (self._is_reported or self._is_closed):
            self._is_reported = True
            log.warning(
                "An async function blocks the thread of all async functions, at %s. As on Azure"
                " no other async function runs until it goes on. Use `await`, or remove `async`.",
                where_is(thread.ident or 0),
            )

    async def _answers(self) -> bool:
        """Whether the loop is not blocked."""
        answered = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop)
        await asyncio.wait([asyncio.wrap_future(answered)], timeout=_ANSWERS_WITHIN)
        return answered.done() or not answered.cancel()

    async def _unblock(self) -> None:
        """If a function blocks the loop, end the function or replace the thread."""
        thread = self._thread
        for remedy in (lambda: interrupt(thread.ident or 0), self._replace):
            if await self._answers() or self._is_closed or thread is not self._thread:
                return
            remedy()

    def _replace(self) -> None:
        log.warning(
            "An async function blocks the thread of all async functions, at %s. Another thread"
            " replaces it; other functions that ran on it wait. Use `await`, or remove `async`.",
            where_is(self._thread.ident or 0),
        )
        self._start()
        sdk_patches.forget_client_session()

    def close(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Cancel what runs, then run `last` and end. To be called in the thread of `run`."""
        if self._is_closed:
            return
        self._is_closed = True
        for task in (self._unblocking, self._looking):
            if task is not None:
                task.cancel()
        ending = asyncio.run_coroutine_threadsafe(self._cancel_all(last), self._loop)
        ending.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._loop.stop))

    def join(self, seconds: float) -> None:
        """Wait for the end of the thread, at most for this time; a function may block it."""
        self._thread.join(seconds)

    async def _cancel_all(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await last()
