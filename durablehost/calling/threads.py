"""Threads for the app's functions; none of them keeps the process alive."""

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


class _Returns:
    """Brings what calls came to back to a loop, which is woken once for all that came meanwhile."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._ended: deque[tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]] = (
            deque()
        )
        self._is_woken = False

    def tell(
        self, waiting: asyncio.Future[Any], settle: Callable[..., Any], *outcome: object
    ) -> None:
        """To be called in any thread."""
        self._ended.append((waiting, settle, outcome))
        if not self._is_woken:
            self._is_woken = True
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                self.loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        self._is_woken = False  # first: what comes from here on may find the queue gone through
        while self._ended:
            waiting, settle, outcome = self._ended.popleft()
            if not waiting.done():
                settle(*outcome)


@dataclass(frozen=True, slots=True)
class _Item:
    """A call, and who waits for it."""

    call: Callable[[], Any]
    waiting: asyncio.Future[Any]
    returns: _Returns

    def run(self) -> None:
        if self.waiting.cancelled():
            return
        try:
            result = self.call()
        except BaseException as error:  # it belongs to whoever waits, not to this thread
            self.returns.tell(self.waiting, self.waiting.set_exception, error)
        else:
            self.returns.tell(self.waiting, self.waiting.set_result, result)

    def drop(self) -> None:
        self.returns.tell(self.waiting, self.waiting.cancel)


class DaemonPool:
    """Runs blocking functions side by side.

    The standard library's pool makes the process wait at its end for every function that still
    runs: after Ctrl-C, an activity that sleeps a minute would cost a minute. It is also slower,
    by a third of a call.
    """

    def __init__(self, threads: int) -> None:
        self._most = threads
        self._items: SimpleQueue[_Item | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []
        self._returns: _Returns | None = None
        self._is_closed = False

    async def run(self, call: Callable[[], T]) -> T:
        """Run it on the next free thread; RuntimeError once the pool is closed."""
        if self._is_closed:
            raise RuntimeError("durablehost is stopping: no function is started any more")
        loop = asyncio.get_running_loop()
        if self._returns is None or self._returns.loop is not loop:
            self._returns = _Returns(loop)
        waiting: asyncio.Future[T] = loop.create_future()
        self._items.put(_Item(call, waiting, self._returns))
        if not self._idle.acquire(blocking=False) and len(self._threads) < self._most:
            name = f"functions-{len(self._threads)}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        return await waiting

    def _work(self) -> None:
        while (item := self._items.get()) is not None:
            item.run()
            del item  # or an idle thread would keep the last call's values alive
            self._idle.release()

    def close(self) -> None:
        """Drop what has not begun and start nothing more; to be called where `run` is."""
        self._is_closed = True
        with contextlib.suppress(Empty):
            while (item := self._items.get_nowait()) is not None:
                item.drop()
        for _ in self._threads:
            self._items.put(None)

    def join(self, seconds: float) -> None:
        """Wait so long, at most, for what still runs."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))


class LoopThread:
    """An event loop in a thread of its own, on which the app's async functions run."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="async-functions", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        while True:
            try:
                self._loop.run_forever()
                break
            except (SystemExit, KeyboardInterrupt) as error:
                # Raised in a task the app made itself; the other functions go on.
                log.error("a task of the app raised %s", type(error).__name__)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it there and wait here; cancelling the one cancels the other."""
        if self._is_closed:
            coroutine.close()
            raise RuntimeError("durablehost is stopping: no function is started any more")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop))

    def close(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Cancel what runs, then run `last` and end; to be called where `run` is."""
        if self._is_closed:
            return
        self._is_closed = True
        ending = asyncio.run_coroutine_threadsafe(self._cancel_all(last), self._loop)
        ending.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._loop.stop))

    def join(self, seconds: float) -> None:
        """Wait so long, at most, for its end: a function that blocks can hold it up."""
        self._thread.join(seconds)

    async def _cancel_all(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await last()
