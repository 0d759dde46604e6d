"""Threads for the app's functions. They do not keep the process alive."""

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from durablehost import sdk_patches
from durablehost.calling.interrupting import Interrupted, interrupt, where_is

log = logging.getLogger(__name__)

T = TypeVar("T")

_LOOK_EVERY: Final = 1.0  # seconds, whether a call has begun
_ANSWERS_WITHIN: Final = 1.0  # seconds, an event loop that is not blocked
_LOOKED_AT_AFTER: Final = 2.0  # seconds, a call that may wait for a blocked loop


class _Returns:
    """Passes the results of calls to an event loop, which wakes once for several results."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._ended: deque[tuple[asyncio.Future[Any], Callable[..., Any], tuple[Any, ...]]] = (
            deque()
        )
        self._is_woken = False

    def tell(
        self, waiting: asyncio.Future[Any], settle: Callable[..., Any], *outcome: object
    ) -> None:
        """Pass a result on. May be called in any thread."""
        self._ended.append((waiting, settle, outcome))
        if not self._is_woken:
            self._is_woken = True
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                self.loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        self._is_woken = False  # first, because a result may arrive from here on
        while self._ended:
            waiting, settle, outcome = self._ended.popleft()
            if not waiting.done():
                settle(*outcome)


class RanTooLong(Exception):
    """A function ran for longer than allowed. The message is the line of the app."""


class WasCancelled(Exception):
    """Code of the app has cancelled the task of a function."""


@dataclass(eq=False, slots=True)
class _Item:
    """A call and its caller."""

    call: Callable[[], Any]
    waiting: asyncio.Future[Any]
    returns: _Returns
    timer: asyncio.TimerHandle | None = None  # for its time-out
    thread_id: int = 0
    began: float = 0.0
    ended: bool = False

    def run(self) -> None:
        if self.waiting.cancelled():
            return
        self.thread_id, self.began = threading.get_ident(), time.perf_counter()
        try:
            result = self.call()
        except BaseException as error:  # the caller receives it
            self.returns.tell(self.waiting, self.waiting.set_exception, error)
        else:
            self.returns.tell(self.waiting, self.waiting.set_result, result)

    def drop(self) -> None:
        self.returns.tell(self.waiting, self.waiting.cancel)


def _left(began: float, limit: float) -> float:
    """The seconds that a call may still run, or until it is checked again."""
    return limit - (time.perf_counter() - began) if began else min(limit, _LOOK_EVERY)


class DaemonPool:
    """Runs blocking functions in parallel.

    The standard library's pool makes the process wait at its end for every function that still
    runs: after Ctrl-C, an activity that sleeps a minute would cost a minute. It is also slower,
    by a third of a call.
    """

    def __init__(self, threads: int) -> None:
        self._most = threads
        self._items: SimpleQueue[_Item | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()  # for the end of a call and of a thread
        self._threads: dict[int, threading.Thread] = {}
        self._lost: list[threading.Thread] = []  # held by calls that ran too long
        self._returns: _Returns | None = None
        self._is_closed = False

    @property
    def lost(self) -> int:
        """How many threads are held by calls that ran too long."""
        return sum(thread.is_alive() for thread in self._lost)

    async def run(self, call: Callable[[], T], limit: float | None = None) -> T:
        """Run a function on the next free thread. Raises RuntimeError after the pool was closed.

        A call that runs for longer than `limit` seconds is given up with its thread, which another
        one replaces. Raises RanTooLong then.
        """
        if self._is_closed:
            raise RuntimeError("durablehost is stopping and starts no more functions")
        loop = asyncio.get_running_loop()
        if self._returns is None or self._returns.loop is not loop:
            self._returns = _Returns(loop)
        waiting: asyncio.Future[T] = loop.create_future()
        item = _Item(call, waiting, self._returns)
        self._items.put(item)
        if not self._idle.acquire(blocking=False) and len(self._threads) < self._most:
            self._start_thread()
        if limit is None:
            return await waiting
        item.timer = loop.call_later(limit, self._look_at, item, limit)
        try:
            return await waiting
        finally:
            item.timer.cancel()

    def _look_at(self, item: _Item, limit: float) -> None:
        if (left := _left(item.began, limit)) > 0:
            item.timer = item.returns.loop.call_later(left, self._look_at, item, limit)
        elif not item.waiting.done() and (place := self._give_up(item)):
            item.waiting.set_exception(RanTooLong(place))

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._work, name="functions", daemon=True)
        thread.start()
        assert thread.ident is not None
        self._threads[thread.ident] = thread

    def _work(self) -> None:
        with contextlib.suppress(Interrupted):  # it can arrive after the call has ended
            while (item := self._items.get()) is not None:
                item.run()
                with self._lock:
                    item.ended = True
                    if threading.current_thread() in self._lost:
                        return
                del item  # otherwise an idle thread keeps the values of the last call alive
                self._idle.release()

    def _give_up(self, item: _Item) -> str:
        """Replace the thread of a call. Returns the line it is at; empty if it has just ended."""
        place = where_is(item.thread_id)
        with self._lock:
            if item.ended:
                return ""
            self._lost.append(self._threads.pop(item.thread_id))
            interrupt(item.thread_id)
        if not self._items.empty():
            self._start_thread()
        return place

    def close(self) -> None:
        """Drop waiting calls and start no more. To be called in the thread of `run`."""
        self._is_closed = True
        with contextlib.suppress(Empty):
            while (item := self._items.get_nowait()) is not None:
                item.drop()
        for _ in self._threads:
            self._items.put(None)

    def join(self, seconds: float) -> None:
        """Wait for running calls, at most for this time."""
        deadline = time.monotonic() + seconds
        for thread in tuple(self._threads.values()):
            thread.join(max(0.0, deadline - time.monotonic()))


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
                await asyncio.wait([running], timeout=limit and _left(start.began, limit))
                if start.is_to_move(self._loop):
                    running = asyncio.wrap_future(start.schedule(coroutine))
                elif limit and start.began and _left(start.began, limit) <= 0:
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
